import type { DrillEvent } from '../engine/events.js';
import { digestsOf } from './approval.js';
import type { Defect } from './defect.js';
import type { ReadBundle } from './reader.js';

/** The approvals that the journal says the run relied on must be there, byte for byte. What each is worth says its signature. */
export function checkRelied({ texts }: ReadBundle, events: readonly DrillEvent[], defects: Defect[]): void {
  for (const event of events) {
    if (event.type !== 'plan.approved') continue;
    const { who, file, approval, signature } = event.data;
    const path = `sig/${file}`;
    const [text, signed] = [texts.get(path), texts.get(`${path}.sig`)];
    if (text === undefined || signed === undefined) {
      defects.push({ code: 'approval-broken', file: path, detail: `the run relied on this approval by ${who}, and it is not there` });
      continue;
    }
    const found = digestsOf({ file, text, signature: signed });
    if (found.approval !== approval || found.signature !== signature) defects.push({ code: 'approval-broken', file: path, detail: `it is not the one by ${who} that the run relied on` });
  }
}
