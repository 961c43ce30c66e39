import { setTimeout as sleep } from 'node:timers/promises';
import type { StepError } from '../../engine/errors.js';
import type { Scope } from '../../engine/scope.js';
import { reasonOf } from './transport.js';

const firstMs = 50;
const longestMs = 1_000;
/** While nothing has been broken yet, a server that does not answer is told at once rather than waited for. */
const beforeRunMs = 10_000;

/** How long one call waits for a server that is away: as long as its caller's signal lets it, or some seconds before a run. */
export class Patience {
  readonly #until: number;
  #pause = firstMs;

  constructor(phase: Scope['phase'], private readonly signal: AbortSignal) {
    this.#until = phase === 'plan' || phase === 'provision' ? Date.now() + beforeRunMs : Number.POSITIVE_INFINITY;
  }

  /** Waits a little longer each time. Throws `error` when there is no time left. */
  async afterLoss(error: () => StepError): Promise<void> {
    const pause = this.#pause;
    this.#pause = Math.min(longestMs, pause * 2);
    await this.wait(pause, error);
  }

  /** Throws the signal's reason when it is aborted first. */
  async wait(ms: number, error: () => StepError): Promise<void> {
    if (Date.now() + ms > this.#until) throw error();
    try {
      await sleep(ms, undefined, { signal: this.signal });
    } catch {
      throw reasonOf(this.signal);
    }
  }
}
