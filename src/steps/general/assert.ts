import { Type } from 'typebox';
import { defineStep } from '../../engine/define-step.js';
import { StepError } from '../../engine/errors.js';
import { inWords, itemsOf, membersOf } from '../../engine/plannable.js';
import { strict } from '../../engine/schema.js';
import { violations } from './lib/conditions.js';

const Time = (description: string) => Type.Optional(Type.String({ description: `${description} this time, ISO 8601 with an offset` }));

export const step = defineStep({
  type: 'assert',
  summary: 'Compares values, most often outputs of earlier steps, with what they must be; tells every one that differs.',
  input: Type.Object(
    {
      that: Type.Array(
        Type.Object(
          {
            name: Type.String({ minLength: 1, description: 'What must hold, in words' }),
            actual: Type.Unknown({ description: 'The value, most often a template' }),
            equals: Type.Optional(Type.Unknown({ description: 'The same JSON value' })),
            atLeast: Type.Optional(Type.Number()),
            atMost: Type.Optional(Type.Number()),
            matches: Type.Optional(Type.String({ minLength: 1, description: 'Regular expression (ECMAScript, unicode) found in the text' })),
            before: Time('Earlier than'),
            after: Time('Later than'),
          },
          strict,
        ),
        { minItems: 1 },
      ),
      health: Type.Optional(Type.Boolean({ default: false, description: 'Record each as a health check' })),
    },
    strict,
  ),
  output: Type.Object({ held: Type.Integer({ description: 'How many were compared' }) }, strict),
  effect: 'read',
  changes: () => [],
  permissions: () => [],
  evidence: ['health-checks'],
  examples: [
    { title: 'The count of an earlier step', with: { that: [{ name: 'All orders are there', actual: '{{ steps.healthy.rows }}', atLeast: 100_000 }] } },
    { title: 'A time and a version', with: { health: true, that: [{ name: 'Restored to before the deploy', actual: '2026-03-01T09:59:59.5Z', before: '2026-03-01T10:00:00Z' }, { name: 'The right release', actual: 'v42', matches: '^v4' }] } },
  ],
  plan(given) {
    const names = itemsOf(membersOf(given).that).map((condition) => inWords(membersOf(condition).name));
    return { does: names.length === 0 ? 'Compares values' : `Checks: ${names.join('; ')}`, calls: [] };
  },
  async run(input, ctx) {
    const results = input.that.map((condition) => ({ name: condition.name, why: violations(condition) }));
    if (input.health === true) {
      await ctx.evidence('health-checks', { checks: results.map(({ name, why }) => ({ name, ok: why.length === 0, detail: why.length === 0 ? 'holds' : why.join('; ') })) });
    }
    const failed = results.filter(({ why }) => why.length > 0);
    if (failed.length > 0) throw new StepError('assertion-failed', failed.map(({ name, why }) => `${name}: ${why.join('; ')}`).join('\n'));
    return { held: results.length };
  },
});
