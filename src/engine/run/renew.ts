import type { Clock } from '../define-step.js';
import type { EventPlace, Journal } from '../journal.js';
import type { Hold } from '../retry.js';
import type { Scope } from '../scope.js';

/** Asks whoever sits at the drill to renew what a server refused; who says that it is done, null when nobody does. */
export type RenewCredentials = (what: string, signal: AbortSignal) => Promise<string | null>;

export interface RenewalParts {
  readonly ask: RenewCredentials | undefined;
  readonly hold: Hold;
  readonly signal: AbortSignal;
  readonly journal: Pick<Journal, 'append'>;
  readonly place: EventPlace;
  readonly clock: Clock;
}

/** The caller's time stands still while people are asked; the drill's goes on, and is counted as waiting for people. */
export function renewal({ ask, hold, signal, journal, place, clock }: RenewalParts): Pick<Scope, 'renew'> {
  if (ask === undefined) return {};
  return {
    async renew(what) {
      const goOn = hold();
      try {
        await journal.append('human.asked', { instructions: `Renew credentials: ${what}`, instant: clock.now() }, place);
        const who = await ask(what, signal);
        const instant = clock.now();
        if (who !== null) await journal.append('human.began', { who, instant }, place);
        await journal.append('human.done', { who, instant, answered: who !== null, attestation: who === null ? null : 'renewed the credentials' }, place);
        return who !== null;
      } finally {
        goOn();
      }
    },
  };
}
