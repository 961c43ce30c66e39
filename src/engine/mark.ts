import { sha256 } from './canonical.js';

/** The label of everything that a run makes in a cluster. */
export const runLabel = 'muster.dev/run';
/** The tag of everything that a run makes in an account of AWS; its value is the run's id. */
export const runTag = 'muster-run';

const longest = 63;
const digits = 16;

/** Its value: the run's id, or what is left of a long one with a digest of it. Kubernetes allows 63 characters. */
export function runMark(runId: string): string {
  return runId.length <= longest ? runId : `${runId.slice(0, longest - digits - 1)}-${sha256(runId).slice(0, digits)}`;
}
