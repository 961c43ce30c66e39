import type { Plannable, PreflightCheck } from '../../../engine/define-step.js';
import { StepError } from '../../../engine/errors.js';
import { whollyKnown } from './known.js';

const id = 'server-side dry run';

/**
 * What the API server says to the call before it is made: its rejection fails the check. What is not there may still be made by an earlier
 * step, so that is deferred. Quotas that others use up, finalizers and controllers are not part of a dry run.
 */
export async function dryRun<T>(given: Plannable<T>, send: (input: T) => Promise<unknown>): Promise<readonly PreflightCheck[]> {
  const input = whollyKnown<T>(given);
  if (input === undefined) return [{ id, result: 'deferred', detail: 'its input is not known before the run' }];
  try {
    await send(input);
    return [{ id, result: 'passed', detail: 'the API server would accept it' }];
  } catch (error) {
    if (!(error instanceof StepError)) throw error;
    if (error.code === 'k8s-not-found') return [{ id, result: 'deferred', detail: `not there yet: ${error.message}` }];
    if (!refusals.has(error.code)) throw error;
    const hint = rejectionHint(error) ?? error.hint;
    return [{ id, result: 'failed', detail: `the API server rejects it: ${error.message}${hint === undefined ? '' : `. ${hint}`}` }];
  }
}

const refusals = new Set(['k8s-rejected', 'k8s-conflict', 'k8s-forbidden', 'k8s-exists']);

/** Which step type does what the API server does not let anybody do this way. */
function rejectionHint({ message }: StepError): string | undefined {
  if (/persistentvolumesource|volumeHandle/i.test(message) && /immutable/.test(message)) return 'The volume behind a PersistentVolume can never be exchanged by changing it, in no version of Kubernetes; the step type pv.swap does what works: it replaces claim and volume with new ones';
  return undefined;
}

/** The same error with the step type that works, where there is one. */
export function withHint(error: unknown): unknown {
  if (!(error instanceof StepError) || error.code !== 'k8s-rejected') return error;
  const hint = rejectionHint(error);
  return hint === undefined ? error : new StepError(error.code, error.message, { hint, cause: error });
}
