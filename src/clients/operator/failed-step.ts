import { ask, inDialogue, type Terminal } from './dialogue.js';

export interface FailedStepQuestion {
  readonly step: string;
  readonly uses: string;
  readonly timedOut: boolean;
  readonly message: string;
  readonly hint: string | undefined;
  /** Default answer to who changed something. */
  readonly operator: string;
  /** Writes down what was changed by hand. */
  readonly note: (text: string, who: string) => Promise<void>;
}

export type FailedStepChoice = 'retry' | 'skip' | 'abort';

const choices: Readonly<Record<string, FailedStepChoice | 'manual'>> = { r: 'retry', retry: 'retry', m: 'manual', manual: 'manual', s: 'skip', skip: 'skip', a: 'abort', abort: 'abort' };

/**
 * Asks what to do about a failed step. null once the terminal is gone: nobody has chosen then. None of the choices hides
 * anything: each stands in the journal, and the text says what it costs.
 */
export function askAboutFailedStep(terminal: Terminal, question: FailedStepQuestion, signal: AbortSignal): Promise<FailedStepChoice | null> {
  const { output } = terminal;
  return inDialogue(terminal, signal, async (lines) => {
    const { step, uses, timedOut, message, hint, operator, note } = question;
    output.write(`\nStep ${step} (${uses}) ${timedOut ? 'timed out' : 'failed'}\n${indented(message)}${hint === undefined ? '' : indented(hint)}\n${menu}\n`);
    for (;;) {
      const answer = await ask(lines, 'What now? [r/m/s/a] ', (text) => Object.hasOwn(choices, text.toLowerCase()), signal);
      if (answer === undefined) return null;
      const choice = choices[answer.toLowerCase()] ?? 'abort';
      if (choice !== 'manual') return choice;
      const text = await ask(lines, 'What did you change? ', () => true, signal);
      if (text === undefined) return null;
      const who = (await lines.question(`Who did it? [${operator}] `, { signal })).trim() || operator;
      await note(text, who);
      output.write('Noted. Try the step again if the change was meant to mend it.\n');
    }
  });
}

const menu = `  r  retry: try it again. The drill goes on; its verdict will say that somebody had to.
  m  I changed something by hand: say what and who. The drill fails until that step is in the runbook.
  s  skip: go on without it. The drill will be incomplete.
  a  abort: clean up and write the bundle.
`;

function indented(text: string): string {
  return text
    .trim()
    .split('\n')
    .slice(0, 12)
    .map((line) => `  ${line}\n`)
    .join('');
}
