import type { Answers } from './answers.js';
import { ask, inDialogue, type Terminal } from './dialogue.js';
import type { ManualAnswer, ManualQuestion, OperatorPort } from './port.js';
import { Turns } from './turns.js';

export type { Terminal } from './dialogue.js';

/**
 * One per run: questions of parallel branches are asked one after the other. A prepared answer goes before a
 * prompt. `terminal` is undefined when nobody sits there and also under `--yes`, which answers prompts but never
 * states for a person that something was done.
 */
export function operatorPort(terminal: Terminal | undefined, answers: Answers, turns = new Turns()): OperatorPort {
  return {
    async manual(question, began, signal) {
      const prepared = answers.get(question.stepId);
      if (prepared !== undefined) {
        await began(prepared.who);
        return prepared;
      }
      if (terminal === undefined) return undefined;
      return turns.take(() => prompt(terminal, question, began, signal));
    },
  };
}

function prompt(terminal: Terminal, question: ManualQuestion, began: (who: string) => Promise<void>, signal: AbortSignal): Promise<ManualAnswer | undefined> {
  return inDialogue(terminal, signal, async (lines) => {
    const { attesters } = question;
    terminal.output.write(`\nManual step ${question.stepId}\n\n${question.instructions.trimEnd()}\n\n`);
    const who = await ask(lines, attesters.length === 0 ? 'Who does it? ' : `Who does it (${attesters.join(', ')})? `, (text) => attesters.length === 0 || attesters.includes(text), signal);
    if (who === undefined) return undefined;
    await began(who);
    const attestation = await ask(lines, 'When it is done, say what you did: ', () => true, signal);
    return attestation === undefined ? undefined : { who, attestation };
  });
}
