import type { ObservedCheck } from '../engine/plan-document.js';
import type { Style } from './style.js';
import { visible } from './visible.js';

const words = { passed: 'passed', failed: 'FAILED', deferred: 'deferred', 'could-not-run': 'could not run' } as const;

/** `12 passed, 1 failed, 3 deferred`. */
export function checkCounts(checks: readonly ObservedCheck[]): string {
  const counts = (['failed', 'could-not-run', 'deferred', 'passed'] as const).map((result) => [result, checks.filter((check) => check.result === result).length] as const);
  return counts.filter(([, count]) => count > 0).map(([result, count]) => `${count} ${words[result].toLowerCase()}`).join(', ') || 'no checks';
}

/** What did not pass first; with `passed` also what did. */
export function checkLines(checks: readonly ObservedCheck[], style: Style, { passed }: { readonly passed: boolean }): string[] {
  const order = ['failed', 'could-not-run', 'deferred', ...(passed ? ['passed'] : [])];
  const colour = { passed: style.good, failed: style.bad, deferred: style.dim, 'could-not-run': style.warn };
  const mark = { passed: '✔', failed: '✖', deferred: '…', 'could-not-run': '?' };
  return order.flatMap((result) => checks.filter((check) => check.result === result)).map((check) => {
    const who = check.step === null ? '' : `step ${check.step}: `;
    return `  ${colour[check.result](`${mark[check.result]} ${words[check.result]}`)}  ${visible(`${who}${check.id}`)}: ${style.dim(visible(check.detail))}`;
  });
}
