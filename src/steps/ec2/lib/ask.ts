import type { BaseContext } from '../../../engine/define-step.js';
import { StepError } from '../../../engine/errors.js';
import { parseDuration } from '../../../engine/duration.js';

const slowestMs = 30_000;

/**
 * Asks until `look` gives something, every `every`, until the signal ends it. An answer that could not be had (throttled, unreachable)
 * is no answer: it asks again, each time twice as late, up to half a minute. All else that `look` throws ends the wait.
 */
export async function askUntil<T>(look: () => Promise<T | undefined>, every: string, { clock, signal, log }: Pick<BaseContext, 'clock' | 'signal' | 'log'>): Promise<T> {
  const everyMs = parseDuration(every);
  let waitMs = everyMs;
  for (;;) {
    signal.throwIfAborted();
    try {
      const found = await look();
      if (found !== undefined) return found;
      waitMs = everyMs;
    } catch (error) {
      if (!(error instanceof StepError) || !error.retryable) throw error;
      waitMs = Math.min(Math.max(waitMs, 100) * 2, slowestMs);
      log(`${error.message}; asked again in ${waitMs} ms`);
    }
    await clock.sleep(waitMs, signal);
  }
}

/** For cleanups, which nobody tries again: sends until it is through. */
export async function sendUntil<T>(send: () => Promise<T>, ctx: Pick<BaseContext, 'clock' | 'signal' | 'log'>): Promise<T> {
  const { result } = await askUntil(async () => ({ result: await send() }), '500ms', ctx);
  return result;
}
