import { writeSync } from 'node:fs';
import { called } from '../engine/called.js';
import { Cancelled } from '../engine/retry.js';
import { exitCodes } from './exit-codes.js';

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

/** A second Ctrl-C: nothing is waited for any more. */
export function stopAtOnce(id: string): never {
  const showCursor = process.stderr.isTTY ? '\u001b[?25h' : '';
  try {
    // Not through the stream: the drawing holds back what goes there until it ends.
    writeSync(2, `${showCursor}\nStopped at once; what the drill made is still there. Remove it with: ${called} cleanup ${id}\n`);
  } catch {
    // Nobody reads it any more.
  }
  process.exit(exitCodes.residue);
}

/** A lost terminal ends neither a run nor its cleanup, from before its first file to after its bundle. */
export function outliveTerminal(): void {
  process.on('SIGHUP', () => {});
}
