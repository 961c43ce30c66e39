import type { DrillEvent } from '../engine/events.js';

export interface Progress {
  /** Every event of the journal, in its order. */
  event(event: DrillEvent): void;
  /** An event of the process that had the run before: what it did is known, and not told again. */
  past(event: DrillEvent): void;
  /** A message of the tool itself. */
  message(text: string): void;
  /** Leaves the terminal to someone else (a prompt) until the function that it returns is called. */
  pause(): () => void;
  /** Draws the last state and gives the terminal back. */
  close(): Promise<void>;
}
