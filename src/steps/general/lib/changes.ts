import { Type, type Static } from 'typebox';
import type { Change, Plannable } from '../../../engine/define-step.js';
import { inWords, itemsOf, membersOf } from '../../../engine/plannable.js';
import { strict } from '../../../engine/schema.js';

/** What a command or a person may alter, declared by the runbook's author. */
export const DeclaredChanges = Type.Array(
  Type.Object(
    {
      system: Type.String({ minLength: 1, description: 'postgres:<connection>, directory:<path>, endpoint:<name>, process, or a name of your own' }),
      object: Type.String({ minLength: 1, description: "In that system's words: `table orders`, `setting archive_mode`, `*` for all" }),
    },
    strict,
  ),
  { description: 'What it may alter; a change that no step declares fails the drill' },
);

export function declaredChanges(changes: Plannable<Static<typeof DeclaredChanges>> | undefined): Change[] {
  return itemsOf(changes).map((change) => {
    const { system, object } = membersOf(change);
    return { system: inWords(system), object: inWords(object) };
  });
}
