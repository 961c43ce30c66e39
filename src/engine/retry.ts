import { setMaxListeners } from 'node:events';
import type { Clock } from './define-step.js';
import { StepError } from './errors.js';

/** Why work was told to stop: the reason of its AbortSignal. */
export class AttemptTimeout extends Error {
  override readonly name = 'AttemptTimeout';
}
export class TotalTimeout extends Error {
  override readonly name = 'TotalTimeout';
}
/** The operator asked for the end (Ctrl-C, SIGTERM). `by` goes into the journal. */
export class Cancelled extends Error {
  override readonly name = 'Cancelled';
  constructor(readonly by: string) {
    super(`cancelled by ${by}`);
  }
}
/** Another branch of the same parallel block failed. */
export class SiblingFailure extends Error {
  override readonly name = 'SiblingFailure';
}

export interface AttemptPolicy {
  readonly attempts: number;
  /** Of one attempt. */
  readonly timeoutMs: number;
  /** Of all attempts and the waits between them. */
  readonly totalTimeoutMs: number | null;
  readonly delayMs: number;
  /** How long work that was told to stop may take to end. */
  readonly graceMs: number;
}

export interface AttemptFailure {
  /** 1-based. */
  readonly attempt: number;
  readonly error: unknown;
  readonly timedOut: boolean;
  readonly retryInMs: number;
}

export type Outcome<T> =
  | { readonly status: 'succeeded'; readonly attempt: number; readonly value: T }
  | { readonly status: 'failed' | 'timed-out' | 'cancelled'; readonly attempt: number; readonly error: unknown };

/** Stops a deadline's time; what it gives lets it run on. */
export type Hold = () => () => void;

export interface AttemptHooks<T> {
  /** Does the work once. Must end soon after `signal` is aborted. `attempt` is 1-based. `hold` stops the time of the attempt and of all. */
  run(attempt: number, signal: AbortSignal, hold: Hold): Promise<T>;
  /** Before the wait for another attempt; what it awaits (a flushed event) comes first. */
  onRetry(failure: AttemptFailure): Promise<void>;
}

/**
 * Does work with attempts, an attempt timeout and a total timeout. Only a StepError with `retryable`, and an attempt
 * that timed out, are tried again. Work that was told to stop is awaited for `graceMs`; if it has not ended by then
 * it fails with `did-not-stop` and nothing is tried again, for two attempts must never overlap.
 * Rejects only with what `onRetry` rejects with.
 */
export async function withAttempts<T>(policy: AttemptPolicy, clock: Clock, signal: AbortSignal, hooks: AttemptHooks<T>): Promise<Outcome<T>> {
  const total = new Deadline(policy.totalTimeoutMs, signal, () => new TotalTimeout(`all attempts together took longer than ${policy.totalTimeoutMs} ms`));
  try {
    for (let attempt = 1; ; attempt += 1) {
      const outcome = await once(policy, total, attempt, hooks);
      if (outcome.status === 'succeeded' || outcome.status === 'cancelled') return outcome;
      if (attempt >= policy.attempts || total.signal.aborted || !mayRetry(outcome)) return outcome;
      await hooks.onRetry({ attempt, error: outcome.error, timedOut: outcome.status === 'timed-out', retryInMs: policy.delayMs });
      try {
        await clock.sleep(policy.delayMs, total.signal);
      } catch {
        return stopped(attempt, total.signal.reason);
      }
    }
  } finally {
    total.end();
  }
}

function mayRetry({ status, error }: { status: string; error: unknown }): boolean {
  if (error instanceof StepError) return error.retryable;
  return status === 'timed-out';
}

async function once<T>(policy: AttemptPolicy, total: Deadline, attempt: number, hooks: AttemptHooks<T>): Promise<Outcome<T>> {
  const { signal } = total;
  if (signal.aborted) return stopped(attempt, signal.reason);
  const deadline = new Deadline(policy.timeoutMs, signal, () => new AttemptTimeout(`the attempt took longer than ${policy.timeoutMs} ms`));
  const hold: Hold = () => {
    const held = [total.hold(), deadline.hold()];
    return () => held.forEach((goOn) => goOn());
  };
  try {
    const value = await endWithin(hooks.run(attempt, deadline.signal, hold), deadline.signal, policy.graceMs);
    return deadline.signal.aborted ? stopped(attempt, deadline.signal.reason) : { status: 'succeeded', attempt, value };
  } catch (error) {
    if (deadline.signal.aborted && !isDidNotStop(error)) return stopped(attempt, deadline.signal.reason);
    return { status: deadline.signal.aborted ? statusOf(deadline.signal.reason) : 'failed', attempt, error };
  } finally {
    deadline.end();
  }
}

function stopped(attempt: number, reason: unknown): Outcome<never> {
  return { status: statusOf(reason), attempt, error: reason };
}

function statusOf(reason: unknown): 'failed' | 'timed-out' | 'cancelled' {
  if (reason instanceof AttemptTimeout || reason instanceof TotalTimeout) return 'timed-out';
  return reason instanceof Cancelled || reason instanceof SiblingFailure ? 'cancelled' : 'failed';
}

function isDidNotStop(error: unknown): boolean {
  return error instanceof StepError && error.code === 'did-not-stop';
}

/** The promise's own result, but no later than `graceMs` after `signal` is aborted: then StepError `did-not-stop`. */
export function endWithin<T>(work: Promise<T>, signal: AbortSignal, graceMs: number): Promise<T> {
  return new Promise((resolve, reject) => {
    let timer: NodeJS.Timeout | undefined;
    const startGrace = () => {
      timer = setTimeout(() => reject(new StepError('did-not-stop', `told to stop, but still running after ${graceMs} ms`, { cause: signal.reason })), graceMs);
    };
    const settled = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', startGrace);
    };
    if (signal.aborted) startGrace();
    else signal.addEventListener('abort', startGrace, { once: true });
    work.finally(settled).then(resolve, reject);
  });
}

/** A signal that follows its parent and is aborted after `ms`; `end` lets go of timer and parent. */
export class Deadline {
  readonly #controller = new AbortController();
  readonly signal = this.#controller.signal;
  #timer: NodeJS.Timeout | undefined;
  #leftMs: number | null;
  #since = 0;
  #holders = 0;
  #ended = false;
  readonly #follow: () => void;

  constructor(ms: number | null, private readonly parent: AbortSignal, private readonly reason: () => Error = () => new Error('time is up')) {
    // As many may wait for one signal as a step has things to do at once.
    setMaxListeners(0, this.signal);
    this.#follow = () => this.#controller.abort(parent.reason);
    if (parent.aborted) this.#follow();
    else parent.addEventListener('abort', this.#follow, { once: true });
    this.#leftMs = ms;
    this.#run();
  }

  #run(): void {
    if (this.#leftMs === null || this.#ended || this.#holders > 0) return;
    this.#since = performance.now();
    this.#timer = setTimeout(() => this.#controller.abort(this.reason()), Math.min(this.#leftMs, 2 ** 31 - 1));
  }

  /** Its time stands still until all that hold it have let go. */
  hold(): () => void {
    this.#holders += 1;
    if (this.#holders === 1 && this.#leftMs !== null) {
      clearTimeout(this.#timer);
      this.#leftMs = Math.max(0, this.#leftMs - (performance.now() - this.#since));
    }
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.#holders -= 1;
      this.#run();
    };
  }

  /** Aborts it before its time. */
  abort(reason: Error): void {
    this.#controller.abort(reason);
  }

  end(): void {
    this.#ended = true;
    clearTimeout(this.#timer);
    this.parent.removeEventListener('abort', this.#follow);
  }
}
