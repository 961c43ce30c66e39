import { once } from 'node:events';
import type { Interface } from 'node:readline/promises';
import type { Answers } from './answers.js';
import type { ManualAnswer, ManualQuestion, OperatorPort } from './port.js';

/** Where the operator sits. */
export interface Terminal {
  readonly input: NodeJS.ReadableStream;
  readonly output: NodeJS.WritableStream;
  /** Stops whatever else draws on the terminal; what it returns lets it go on. */
  readonly pause?: () => () => void;
  /** Ctrl-C at a prompt; default: SIGINT for this process. */
  readonly interrupt?: () => void;
}

/**
 * One per run: questions of parallel branches are asked one after the other. A prepared answer goes before a
 * prompt. `terminal` is undefined when nobody sits there and also under `--yes`, which answers prompts but never
 * states for a person that something was done.
 */
export function operatorPort(terminal: Terminal | undefined, answers: Answers): OperatorPort {
  let last: Promise<unknown> = Promise.resolve();
  return {
    async manual(question, began, signal) {
      const prepared = answers.get(question.stepId);
      if (prepared !== undefined) {
        await began(prepared.who);
        return prepared;
      }
      if (terminal === undefined) return undefined;
      const turn = last.then(() => prompt(terminal, question, began, signal));
      last = turn.catch(() => undefined);
      return await turn;
    },
  };
}

async function prompt(terminal: Terminal, question: ManualQuestion, began: (who: string) => Promise<void>, signal: AbortSignal): Promise<ManualAnswer | undefined> {
  signal.throwIfAborted();
  const { createInterface } = await import('node:readline/promises');
  const resume = terminal.pause?.();
  const lines = createInterface({ input: terminal.input, output: terminal.output });
  lines.on('SIGINT', terminal.interrupt ?? (() => process.kill(process.pid, 'SIGINT')));
  try {
    const { attesters } = question;
    terminal.output.write(`\nManual step ${question.stepId}\n\n${question.instructions.trimEnd()}\n\n`);
    const who = await ask(lines, attesters.length === 0 ? 'Who does it? ' : `Who does it (${attesters.join(', ')})? `, (text) => attesters.length === 0 || attesters.includes(text), signal);
    if (who === undefined) return undefined;
    await began(who);
    const attestation = await ask(lines, 'When it is done, say what you did: ', () => true, signal);
    return attestation === undefined ? undefined : { who, attestation };
  } finally {
    lines.close();
    resume?.();
  }
}

/** Asks until the answer is not empty and fits; undefined once the input has ended. */
async function ask(lines: Interface, text: string, fits: (answer: string) => boolean, signal: AbortSignal): Promise<string | undefined> {
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
