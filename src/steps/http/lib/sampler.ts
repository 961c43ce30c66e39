import type { HttpPort, HttpRequest, HttpResponse } from '../../../clients/http/port.js';
import type { Clock } from '../../../engine/define-step.js';
import { StepError } from '../../../engine/errors.js';

/** What one request of a sample must bring. */
export interface Asked {
  readonly request: HttpRequest;
  /** What the answer lacks; empty when it is well. */
  readonly judge: (response: HttpResponse) => readonly string[];
}

/** undefined when the answer was as expected, else why not. Rejects only when `signal` is aborted. */
export async function tryOnce(http: HttpPort, { request, judge }: Asked, signal: AbortSignal): Promise<string | undefined> {
  try {
    const why = judge(await http.request(request, signal));
    return why.length === 0 ? undefined : why.join('; ');
  } catch (error) {
    signal.throwIfAborted();
    // A refusal by the guard is no outage: it ends the probe.
    if (!(error instanceof StepError)) throw error;
    return error.message;
  }
}

/** Calls `sample` every `everyMs`, never two at a time, until `signal` is aborted; a late one starts at once. */
export async function sampling(everyMs: number, clock: Clock, signal: AbortSignal, sample: () => Promise<void>): Promise<void> {
  try {
    for (let due = performance.now(); ; due = Math.max(due + everyMs, performance.now())) {
      await clock.sleep(Math.max(0, due - performance.now()), signal);
      await sample();
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
