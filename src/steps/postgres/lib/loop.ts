import type { Clock } from '../../../engine/define-step.js';

export interface Loop {
  /** Resolves once the last turn is over. Throws what ended the loop, if it was an error. */
  stop(): Promise<void>;
}

/**
 * Calls `turn` every `everyMs`, counted from start to start, never twice at the same time: a turn that takes longer
 * than the interval is followed at once by the next. Ends with `signal` or `stop()`.
 */
export function every(clock: Clock, everyMs: number, signal: AbortSignal, turn: () => Promise<void>): Loop {
  const ended = new AbortController();
  const both = AbortSignal.any([signal, ended.signal]);
  const running = (async () => {
    for (;;) {
      if (both.aborted) return;
      const started = performance.now();
      await turn();
      const rest = everyMs - (performance.now() - started);
      // A pause of 0 lets others in.
      await clock.sleep(Math.max(0, rest), both).catch(() => undefined);
    }
  })();
  running.catch(() => undefined);
  return {
    async stop() {
      ended.abort();
      await running;
    },
  };
}
