import { called } from '../engine/called.js';
import type { EventDataOf } from '../engine/events.js';
import type { Style } from '../report/style.js';
import { visible } from '../report/visible.js';
import type { Stored } from './evidence-store.js';

/** What became of the copy in the evidence store. */
export function storedLines({ object, lock, problem }: Stored, bundle: string, style: Style): string {
  if (problem === null) return `${style.good('Copied')} to ${visible(object)}${lock === null ? '' : `, locked until ${lock.until.slice(0, 10)}`}\n`;
  return [
    style.bad('THE EVIDENCE STORE HAS NO COPY OF THIS BUNDLE.'),
    `  ${visible(problem)}`,
    '  The verdict stands, and every later run lists this one as without a bundle until it is there:',
    `  ${called} pack ${visible(bundle)}, and copy the zip to ${visible(object)}`,
  ].map((line) => `${line}\n`).join('');
}

/** Said when a run begins: somebody should look for them. */
export function openLines({ store, open }: EventDataOf<'store.registered'>): string {
  const missing = open.filter(({ refused }) => !refused);
  if (missing.length === 0) return '';
  const lines = missing.map(({ run, operator }) => `  ${run}${operator === null ? '' : `, by ${visible(operator)}`}\n`);
  return `Registered in ${visible(store)}, and no bundle is there (lost, not copied, or under way):\n${lines.join('')}`;
}
