import { messageOf, StepError } from '../engine/errors.js';
import type { Journal } from '../engine/journal.js';
import type { DrillHooks } from '../engine/run.js';
import type { Terminal } from '../clients/operator/dialogue.js';
import { askAboutFailedStep } from '../clients/operator/failed-step.js';
import type { Turns } from '../clients/operator/turns.js';
import { visible } from '../report/visible.js';

/** Asks the operator at the terminal what to do about a failed step. */
export function failedStepHook(terminal: Terminal, turns: Turns, operator: string, append: Journal['append']): NonNullable<DrillHooks['failedStep']> {
  return ({ step, status, error }, signal) =>
    turns.take(() =>
      askAboutFailedStep(
        terminal,
        {
          step: step.id,
          uses: step.uses,
          timedOut: status === 'timed-out',
          message: visible(messageOf(error), { lines: true }),
          hint: error instanceof StepError && error.hint !== undefined ? visible(error.hint, { lines: true }) : undefined,
          operator,
          async note(text, who) {
            await append('note.manual', { text, who, source: 'prompt' }, { step: step.id });
          },
        },
        signal,
      ),
    );
}
