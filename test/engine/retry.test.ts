import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/engine/clock.js';
import { StepError } from '../../src/engine/errors.js';
import { AttemptTimeout, Cancelled, TotalTimeout, withAttempts, type AttemptFailure, type AttemptPolicy, type Hold, type Outcome } from '../../src/engine/retry.js';

const policy: AttemptPolicy = { attempts: 3, timeoutMs: 10_000, totalTimeoutMs: null, delayMs: 0, graceMs: 2_000 };
const never = new AbortController().signal;
const retryable = () => new StepError('busy', 'busy', { retryable: true });

async function attempts(run: (attempt: number, signal: AbortSignal, hold: Hold) => Promise<unknown>, changes: Partial<AttemptPolicy> = {}, signal = never): Promise<{ outcome: Outcome<unknown>; failures: AttemptFailure[] }> {
  const failures: AttemptFailure[] = [];
  const outcome = await withAttempts({ ...policy, ...changes }, systemClock(), signal, { run, onRetry: async (failure) => void failures.push(failure) });
  return { outcome, failures };
}
const untilAborted = async (_attempt: number, signal: AbortSignal) => {
  await once(signal, 'abort');
  signal.throwIfAborted();
};

describe('withAttempts', () => {
  it('tries again only what may be tried again', async () => {
    const { outcome, failures } = await attempts(async (attempt) => (attempt < 3 ? Promise.reject(retryable()) : 'done'));
    expect(outcome).toEqual({ status: 'succeeded', attempt: 3, value: 'done' });
    expect(failures.map(({ attempt, timedOut }) => [attempt, timedOut])).toEqual([[1, false], [2, false]]);
    const fatal = new StepError('no', 'no');
    expect((await attempts(() => Promise.reject(fatal))).outcome).toEqual({ status: 'failed', attempt: 1, error: fatal });
    expect((await attempts(() => Promise.reject(new TypeError('bug')))).outcome).toMatchObject({ status: 'failed', attempt: 1 });
    expect((await attempts(() => Promise.reject(retryable()))).outcome).toMatchObject({ status: 'failed', attempt: 3 });
  });

  it('tries an attempt that timed out again, and never runs two at once', async () => {
    let running = 0;
    const { outcome, failures } = await attempts(
      async (attempt, signal) => {
        running += 1;
        expect(running).toBe(1);
        if (attempt === 1) {
          await once(signal, 'abort');
          await new Promise((resolve) => setTimeout(resolve, 30));
        }
        running -= 1;
        return attempt;
      },
      { timeoutMs: 50 },
    );
    expect(outcome).toMatchObject({ status: 'succeeded', attempt: 2 });
    expect(failures[0]?.error).toBeInstanceOf(AttemptTimeout);
  });

  it('lets no time pass for work that waits for people', async () => {
    const run = async (_attempt: number, signal: AbortSignal, hold: Hold) => {
      const [one, other] = [hold(), hold()];
      await pause(150);
      one();
      other();
      other();
      await once(signal, 'abort');
      throw new Error('told to stop');
    };
    const began = performance.now();
    const { outcome } = await attempts(run, { timeoutMs: 100, totalTimeoutMs: 5_000, attempts: 1 });
    expect(outcome.status).toBe('timed-out');
    // 100 ms of its own beside those of the people.
    expect(performance.now() - began).toBeGreaterThan(220);
  });

  it('gives up on work that does not stop, without trying again', async () => {
    let runs = 0;
    let release = () => {};
    const { outcome } = await attempts(() => new Promise<void>((resolve) => { runs += 1; release = resolve; }), { timeoutMs: 20, graceMs: 20 });
    release();
    expect(outcome).toMatchObject({ status: 'timed-out', attempt: 1, error: { code: 'did-not-stop' } });
    expect(runs).toBe(1);
  });

  it('tells total timeout, attempt timeout and cancel apart', async () => {
    expect((await attempts(untilAborted, { attempts: 1, timeoutMs: 20 })).outcome).toMatchObject({ status: 'timed-out', error: expect.any(AttemptTimeout) });
    expect((await attempts(untilAborted, { totalTimeoutMs: 20 })).outcome).toMatchObject({ status: 'timed-out', error: expect.any(TotalTimeout) });
    expect((await attempts(() => Promise.reject(retryable()), { delayMs: 60_000, totalTimeoutMs: 20 })).outcome).toMatchObject({ status: 'timed-out', error: expect.any(TotalTimeout) });
    const cancel = new AbortController();
    const running = attempts(untilAborted, {}, cancel.signal);
    cancel.abort(new Cancelled('me'));
    expect((await running).outcome).toMatchObject({ status: 'cancelled', error: expect.any(Cancelled) });
    expect((await attempts(async () => 'ran', {}, cancel.signal)).outcome).toMatchObject({ status: 'cancelled' });
  });
});
