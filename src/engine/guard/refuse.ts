import type { Effect } from '../define-step.js';
import { GuardError } from '../errors.js';

/** What is asked for, in the words of a refusal. */
export interface Attempt {
  readonly what: string;
  readonly effect: Effect;
}

/** `allow`: lines of the environment that would let it through. */
export function refuse(attempt: Attempt, why: string, allow: readonly string[]): never {
  const hint = allow.map((line) => `To allow it, the environment would say: ${line}`);
  throw new GuardError([`refused to ${attempt.what} (${attempt.effect}): ${why}`, ...hint].join('. '));
}
