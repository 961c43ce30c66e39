import { reasonCodes, type Drill, type ReasonCode } from '../engine/drill.js';
import type { DrillEvent } from '../engine/events.js';
import { formatDuration } from '../engine/duration.js';
import type { Runbook } from '../engine/documents.js';
import type { Plan } from '../engine/plan-document.js';
import type { Tone } from './model-types.js';
import { nextStepFor } from './next-steps.js';

/** A reason as something to do. Owner, due day and ticket come later, outside the bundle: findings.yaml. */
export interface FindingRow {
  readonly code: ReasonCode;
  readonly words: string;
  readonly weight: string;
  readonly tone: Tone;
  readonly where: string;
  readonly action: string;
  /** What was decided about it after the drill, one line for each step that it was found at. */
  readonly decided: readonly string[];
}

/** A finding as findings.yaml and signed acceptances have it. */
export interface DecidedFinding {
  readonly id: string;
  readonly code: ReasonCode;
  readonly step: string | null;
  readonly words: string;
}

/** Time that no telling sample covers. */
export interface GapRow {
  readonly probe: string;
  readonly from: string;
  readonly lasted: string;
}

/** A measured span over which the two clocks disagree. */
export interface ClockRow {
  readonly span: string;
  readonly monotonic: string;
  readonly utc: string;
  readonly counted: string;
}

export interface Approvals {
  readonly policy: string;
  /** Who agreed to what the drill is held against. */
  readonly objectives: string;
  readonly given: readonly { readonly who: string; readonly key: string; readonly file: string; readonly sha256: string }[];
}

const failing: ReadonlySet<string> = new Set(reasonCodes.failed);

export function findingRows(drill: Drill, words: (code: ReasonCode) => string, decided: readonly DecidedFinding[] = []): FindingRow[] {
  return [...new Set(drill.reasons.map(({ code }) => code))].map((code) => {
    const steps = [...new Set(drill.reasons.flatMap((reason) => (reason.code === code && reason.step !== undefined ? [reason.step] : [])))];
    const fails = failing.has(code);
    return {
      code,
      words: words(code),
      weight: fails ? 'fails the drill' : code === 'cancelled' ? 'ended the drill' : 'leaves it unproved',
      tone: fails ? 'bad' : code === 'cancelled' ? 'quiet' : 'warn',
      where: steps.join(', '),
      action: nextStepFor(code),
      decided: decided.filter((each) => each.code === code).map((each) => `${each.id}${each.step === null ? '' : ` at ${each.step}`}: ${each.words}`),
    };
  });
}

export function gapRows({ gaps }: Drill): GapRow[] {
  return gaps.map(({ probe, startMs, ms }) => ({ probe, from: formatDuration(startMs), lasted: formatDuration(ms) }));
}

/** Nothing is said to have been observed where there was nothing to observe it with. */
export function noGaps({ fault }: Drill, { binding }: Plan): string {
  if (fault === null) return 'Gaps were not looked for: no fault was sent.';
  if (!binding.probes.some(({ samples }) => samples === 'availability')) return 'Gaps were not looked for: no probe observed the service.';
  return 'No gap was found between the fault and the end of the verification.';
}

export function clockRows({ clock }: Drill): ClockRow[] {
  return clock.map(({ span, monotonicMs, utcMs, countedMs }) => ({ span, monotonic: formatDuration(monotonicMs), utc: formatDuration(utcMs), counted: formatDuration(countedMs) }));
}

/** What the environment demands, and the approvals that the run relied on. */
export function approvals({ binding }: Plan, approved: Runbook['objectives']['approved'], events: readonly DrillEvent[]): Approvals {
  const demanded = binding.environment.approvals;
  const required = typeof demanded === 'object' && demanded !== null && 'required' in demanded && typeof demanded.required === 'number' ? demanded.required : 0;
  return {
    policy: required === 0 ? 'The environment demands no approval of the plan.' : `The environment demands ${required} ${required === 1 ? 'approval' : 'approvals'} of the plan before it may be run.`,
    objectives: approved === undefined ? 'The runbook does not say who agreed to its objectives.' : `${approved.by} agreed to the objectives on ${approved.on}${approved.in === undefined ? '' : ` (${approved.in})`}, as the runbook says.`,
    given: events.flatMap((event) => (event.type === 'plan.approved' ? [{ who: event.data.who, key: event.data.key, file: event.data.file, sha256: event.data.approval }] : [])),
  };
}
