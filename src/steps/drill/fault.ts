import { Type } from 'typebox';
import { defineStep } from '../../engine/define-step.js';
import { inWords, membersOf } from '../../engine/plannable.js';
import { strict } from '../../engine/schema.js';

export const step = defineStep({
  type: 'drill.fault',
  summary: "Marks the scenario's time of a drill in which nothing is broken (`fault: declared`) or the switch is wanted (`fault: planned`).",
  input: Type.Object(
    {
      detail: Type.String({ minLength: 1, description: 'What is taken to have happened' }),
      at: Type.Optional(Type.String({ pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(\\.\\d+)?Z$', description: 'When, UTC; default: now' })),
    },
    strict,
  ),
  output: Type.Object({ at: Type.String({ description: 'UTC' }) }, strict),
  effect: 'read',
  changes: () => [],
  permissions: () => [],
  evidence: [],
  examples: [{ title: 'The primary is taken to be lost now', with: { detail: 'The primary and its disks are lost' } }],
  plan(given) {
    const { detail, at } = membersOf(given);
    return { does: `Marks the fault ${at === undefined ? 'now' : `at ${inWords(at)}`}: ${inWords(detail)}`, calls: [] };
  },
  async run({ detail, at }, ctx) {
    return { at: (await ctx.fault(detail, at)).at };
  },
});
