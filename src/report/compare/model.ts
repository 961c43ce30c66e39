import type { Phase } from '../../engine/define-step.js';
import { formatDuration } from '../../engine/duration.js';
import type { ReportInput } from '../model.js';
import { changedFacts, type ChangedFact } from './changes.js';
import { recoveryParts, type Part } from './parts.js';

/** Milliseconds in both drills; null where a drill has none. */
export interface Change {
  readonly before: number | null;
  readonly after: number | null;
  /** Null when one of them is missing. */
  readonly delta: number | null;
}

export interface Comparison {
  readonly headline: string;
  readonly runs: readonly { readonly run: string; readonly verdict: string; readonly at: string | null }[];
  readonly rto: Change;
  readonly withoutWaiting: Change;
  readonly rpo: Change;
  readonly outage: Change;
  readonly phases: readonly (Change & { readonly phase: Phase })[];
  /** By step id and phase, the largest change first. A step that was not in a drill's recovery has no time there. */
  readonly parts: readonly (Change & { readonly step: string; readonly phase: Phase; readonly what: string | null })[];
  readonly changes: readonly ChangedFact[];
}

/** Holds a later drill against an earlier one: which steps made recovery slower or faster, and what changed between. */
export function compareDrills(before: ReportInput, after: ReportInput): Comparison {
  const [first, second] = [before.drill, after.drill];
  const rto = change(first.rto.valueMs, second.rto.valueMs);
  const parts = alignParts(recoveryParts(before), recoveryParts(after));
  const phases = second.rto.phases.map(({ phase, ms }) => ({ phase, ...change(first.rto.phases.find((each) => each.phase === phase)?.ms ?? null, ms) }));
  return {
    headline: headline(before, after, rto, parts),
    runs: [first, second].map(({ run, verdict, startedAt }) => ({ run, verdict, at: startedAt })),
    rto,
    withoutWaiting: change(first.rto.withoutWaitingMs, second.rto.withoutWaitingMs),
    rpo: change(first.rpo.valueMs, second.rpo.valueMs),
    outage: change(first.rto.outageMs, second.rto.outageMs),
    phases: phases.filter((phase) => (phase.before ?? 0) > 0 || (phase.after ?? 0) > 0),
    parts,
    changes: changedFacts(before, after),
  };
}

function change(before: number | null, after: number | null): Change {
  return { before, after, delta: before === null || after === null ? null : Math.round((after - before) * 1000) / 1000 };
}

function alignParts(before: readonly Part[], after: readonly Part[]): Comparison['parts'] {
  const key = ({ step, phase, what }: Part) => JSON.stringify([step, phase, what]);
  const [first, second] = [new Map(before.map((part) => [key(part), part])), new Map(after.map((part) => [key(part), part]))];
  const aligned = [...new Map([...first, ...second]).entries()].map(([id, { step, phase, what }]) => {
    const [old, now] = [first.get(id)?.ms ?? null, second.get(id)?.ms ?? null];
    return { step, phase, what, before: old, after: now, delta: Math.round(((now ?? 0) - (old ?? 0)) * 1000) / 1000 };
  });
  return aligned.toSorted((a, b) => Math.abs(b.delta) - Math.abs(a.delta) || (a.step < b.step ? -1 : 1));
}

/** `RTO +18m, 14m of it restore (WAL replay)`: the whole, and the part that did most of it. */
function headline(before: ReportInput, after: ReportInput, { delta }: Change, parts: Comparison['parts']): string {
  if (delta === null) {
    const missing = [before, after].filter(({ drill }) => drill.rto.valueMs === null).map(({ drill }) => drill.run);
    return `RTO cannot be compared: it was not measured in ${missing.join(' and ')}`;
  }
  if (delta === 0) return 'RTO unchanged';
  const most = parts.find((part) => Math.sign(part.delta ?? 0) === Math.sign(delta));
  const share = most?.delta === undefined || most.delta === null ? 0 : Math.min(Math.abs(delta), Math.abs(most.delta));
  const cause = most === undefined || share === 0 ? '' : `, ${shortDuration(share)} of it ${most.phase} (${most.what ?? most.step})`;
  return `RTO ${signed(delta)}${cause}`;
}

export function signed(ms: number | null): string {
  return ms === null ? '—' : ms === 0 ? '±0' : `${ms < 0 ? '−' : '+'}${shortDuration(Math.abs(ms))}`;
}

/** `18m`, not `18m 00s`. */
export function shortDuration(ms: number): string {
  return formatDuration(ms).replace(/ 00[smh]$/, '');
}
