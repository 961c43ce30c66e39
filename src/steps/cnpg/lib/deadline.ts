import type { BaseContext } from '../../../engine/define-step.js';
import type { StepError } from '../../../engine/errors.js';

/**
 * Runs `work` with a signal that is aborted after `ms`. When that time is over, throws what `late` makes of it, so that a drill
 * names what was missing and not only that time ran out. The step's own signal goes before it.
 */
export async function within<T>(ctx: Pick<BaseContext, 'signal' | 'clock'>, ms: number, work: (signal: AbortSignal) => Promise<T>, late: () => StepError): Promise<T> {
  const over = new AbortController();
  const signal = AbortSignal.any([ctx.signal, over.signal]);
  const timer = new AbortController();
  const timing = ctx.clock.sleep(ms, AbortSignal.any([ctx.signal, timer.signal])).then(() => over.abort(), () => undefined);
  try {
    return await work(signal);
  } catch (error) {
    ctx.signal.throwIfAborted();
    throw over.signal.aborted ? late() : error;
  } finally {
    timer.abort();
    await timing;
  }
}
