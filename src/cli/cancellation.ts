import { Cancelled } from '../engine/retry.js';

export interface Cancellation {
  /** Aborted with `Cancelled` by the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
  /** Gives the signals back to the process. */
  release(): void;
}

/** The first SIGINT or SIGTERM cancels and lets the drill clean up; the second calls `stop`, which ends the process. */
export function listenForCancel(stop: () => void): Cancellation {
  const controller = new AbortController();
  const cancel = (name: NodeJS.Signals): void => {
    if (controller.signal.aborted) stop();
    else controller.abort(new Cancelled(name));
  };
  process.on('SIGINT', cancel).on('SIGTERM', cancel);
  return {
    signal: controller.signal,
    release: () => void process.off('SIGINT', cancel).off('SIGTERM', cancel),
  };
}

/** A lost terminal ends neither a run nor its cleanup, from before its first file to after its bundle. */
export function outliveTerminal(): void {
  process.on('SIGHUP', () => {});
}
