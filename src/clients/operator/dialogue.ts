import { once } from 'node:events';
import type { Interface } from 'node:readline/promises';

/** Where the operator sits. */
export interface Terminal {
  readonly input: NodeJS.ReadableStream;
  readonly output: NodeJS.WritableStream;
  /** Stops whatever else draws on the terminal; what it returns lets it go on. */
  readonly pause?: () => () => void;
  /** Ctrl-C at a prompt; default: SIGINT for this process. */
  readonly interrupt?: () => void;
}

/** Has the terminal to itself while `work` asks. */
export async function inDialogue<T>(terminal: Terminal, signal: AbortSignal, work: (lines: Interface) => Promise<T>): Promise<T> {
  signal.throwIfAborted();
  const { createInterface } = await import('node:readline/promises');
  const resume = terminal.pause?.();
  const lines = createInterface({ input: terminal.input, output: terminal.output });
  lines.on('SIGINT', terminal.interrupt ?? (() => process.kill(process.pid, 'SIGINT')));
  try {
    return await work(lines);
  } finally {
    lines.close();
    resume?.();
  }
}

/** Asks until the answer is not empty and fits; undefined once the input has ended (a lost terminal). */
export async function ask(lines: Interface, text: string, fits: (answer: string) => boolean, signal: AbortSignal): Promise<string | undefined> {
  const closed = new AbortController();
  const ended = once(lines, 'close', { signal: closed.signal }).then(() => undefined, () => undefined);
  try {
    for (;;) {
      const answer = await Promise.race([lines.question(text, { signal }), ended]);
      if (answer === undefined) return undefined;
      if (answer.trim() !== '' && fits(answer.trim())) return answer.trim();
    }
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    closed.abort();
  }
}
