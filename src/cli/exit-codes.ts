import type { Drill } from '../engine/drill.js';

/** The design's exit codes: 70 over 5 over the verdict's. */
export const exitCodes = {
  passed: 0,
  /** The drill ran and did not pass, or `verify` found a defect. */
  notPassed: 1,
  /** Usage or an invalid document; nothing was touched. */
  usage: 2,
  /** Refused before the first inject. */
  refused: 3,
  cancelled: 4,
  residue: 5,
  internal: 70,
} as const;

export function exitCodeOf(drill: Drill): number {
  if (drill.reasons.some((reason) => reason.code === 'residue')) return exitCodes.residue;
  if (drill.verdict === 'passed') return exitCodes.passed;
  return drill.verdict === 'cancelled' ? exitCodes.cancelled : exitCodes.notPassed;
}
