import { reasonCodes, type ReasonCode, type Verdict } from '../drill.js';

/** One reason why a drill did not pass. */
export interface Finding {
  readonly code: ReasonCode;
  readonly step?: string;
  readonly detail: string;
}

const order: readonly ReasonCode[] = [...reasonCodes.failed, ...reasonCodes.incomplete, ...reasonCodes.cancelled];
const failing: ReadonlySet<string> = new Set(reasonCodes.failed);
const incomplete: ReadonlySet<string> = new Set(reasonCodes.incomplete);
const longest = 500;
const most = 20;

/** At most 500 characters of what others wrote. */
export const short = (text: string): string => (text.length > longest ? `${text.slice(0, longest)}...` : text);

/** At most ten names, then how many more. */
export function names(all: readonly string[]): string {
  const shown = all.slice(0, 10).map((name) => (name.length > 80 ? `${name.slice(0, 80)}...` : name));
  return all.length > 10 ? `${shown.join(', ')} and ${all.length - 10} more` : shown.join(', ');
}

/**
 * The reasons in their fixed order: by code as design.md lists them, then as found (journal order). Equal ones
 * once; of one code at most twenty, then how many more there are.
 */
export function sortReasons(findings: readonly Finding[]): Finding[] {
  const byCode = new Map<ReasonCode, Map<string, Finding>>();
  for (const finding of findings) {
    const detail = short(finding.detail);
    const same = byCode.get(finding.code) ?? new Map<string, Finding>();
    byCode.set(finding.code, same.set(JSON.stringify([finding.step ?? null, detail]), { ...finding, detail }));
  }
  return order.flatMap((code) => {
    const all = [...(byCode.get(code)?.values() ?? [])];
    return all.length > most ? [...all.slice(0, most), { code, detail: `${all.length - most} more of this kind` }] : all;
  });
}

/** failed > incomplete > cancelled; passed only where there is no reason at all. */
export function judge(findings: readonly Finding[]): Verdict {
  let verdict: Verdict = 'failed';
  if (findings.some(({ code }) => failing.has(code))) return verdict;
  if (findings.some(({ code }) => incomplete.has(code))) verdict = 'incomplete';
  else if (findings.length > 0) verdict = 'cancelled';
  else verdict = 'passed';
  return verdict;
}
