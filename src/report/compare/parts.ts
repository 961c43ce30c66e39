import { phases, type Phase } from '../../engine/define-step.js';
import { timeline } from '../model-clock.js';
import type { ReportInput } from '../model.js';

/** A stretch of work within the recovery time: a step, or a part of one that has its own cause. */
export interface Part {
  readonly step: string;
  readonly phase: Phase;
  /** `WAL replay`, `waiting for people`; null: the step itself. */
  readonly what: string | null;
  readonly ms: number;
}

/**
 * What the recovery time was spent on: each step as far as it lies between the fault and the end of the recovery. Steps
 * side by side overlap, so that parts may add up to more than the whole; time between steps is in none of them.
 */
export function recoveryParts({ drill, events }: ReportInput): Part[] {
  const sent = events.find((event) => event.type === 'fault.sent');
  if (sent === undefined || drill.rto.valueMs === null) return [];
  const clock = timeline(events);
  const from = clock.place(sent, sent.data.instant);
  const to = from + drill.rto.valueMs;
  const replay = new Map(events.flatMap((event) => (event.type === 'step.finished' && event.step !== undefined ? [[event.step, replayOf(event.data.output)] as const] : [])));
  // Units side by side overlap: only the chain that took longest adds up to its step.
  const critical = (drill.units ?? []).filter((unit) => unit.critical);
  return drill.steps.flatMap((step): Part[] => {
    const phase = phases.find((each) => each === step.phase);
    if (phase === undefined || step.startMs === null || step.durationMs === null) return [];
    const ms = Math.max(0, Math.min(to, step.startMs + step.durationMs) - Math.max(from, step.startMs));
    if (ms === 0) return [];
    const named: readonly (readonly [string, number])[] = [['waiting for people', Math.min(ms, step.waitingMs)], ['WAL replay', Math.min(ms, replay.get(step.id) ?? 0)]];
    const units = critical.filter((unit) => unit.step === step.id).map((unit) => [`unit ${unit.unit}`, Math.min(ms, clipped(unit, from, to))] as const);
    const parts = [...named, ...units].filter(([, part]) => part > 0).map(([what, part]) => ({ step: step.id, phase, what, ms: part }));
    const rest = ms - parts.reduce((sum, part) => sum + part.ms, 0);
    return [...parts, { step: step.id, phase, what: null, ms: Math.max(0, rest) }];
  });
}

/** How long the restored server took from its start to its promotion, as `postgres.restore` says. */
function replayOf(output: unknown): number {
  const ms = typeof output === 'object' && output !== null && 'startedAfterMs' in output ? output.startedAfterMs : 0;
  return typeof ms === 'number' && ms > 0 ? ms : 0;
}

function clipped({ startMs, durationMs }: NonNullable<ReportInput['drill']['units']>[number], from: number, to: number): number {
  if (startMs === null || durationMs === null) return 0;
  return Math.max(0, Math.min(to, startMs + durationMs) - Math.max(from, startMs));
}
