import { Type } from 'typebox';
import { defineStep } from '../../engine/define-step.js';
import { StepError } from '../../engine/errors.js';
import { inWords, itemsOf, membersOf } from '../../engine/plannable.js';
import { strict } from '../../engine/schema.js';
import { DeclaredChanges, declaredChanges } from './lib/changes.js';

export const step = defineStep({
  type: 'manual',
  summary: 'Something that a person does: what, who attests it, what it alters. Waiting for the person is told apart from the work.',
  input: Type.Object(
    {
      instructions: Type.String({ minLength: 1, description: 'What to do, so that somebody who has never done it can' }),
      attesters: Type.Optional(Type.Array(Type.String({ minLength: 1 }), { description: 'Who may do and attest it; default: anyone' })),
      changes: DeclaredChanges,
      health: Type.Optional(Type.String({ minLength: 1, description: 'Name of the health check that the attestation answers' })),
    },
    strict,
  ),
  output: Type.Object({ who: Type.String(), attestation: Type.String() }, strict),
  effect: (given) => (itemsOf(membersOf(given).changes).length === 0 ? 'read' : 'modify'),
  changes: (given) => declaredChanges(membersOf(given).changes),
  permissions: () => [],
  evidence: ['health-checks'],
  examples: [
    {
      title: 'A switch that only the network team can move',
      with: { instructions: 'Ask the network team to move app.example.net to the address of the copy.', attesters: ['alice', 'bob'], changes: [{ system: 'dns', object: 'app.example.net' }] },
    },
    { title: 'Somebody looks', with: { instructions: 'Log in and open an order from before the deploy.', changes: [], health: 'Orders can be read in the application' } },
  ],
  repeatable: true,
  plan(given) {
    const { instructions, attesters } = membersOf(given);
    const who = itemsOf(attesters).length === 0 ? 'anyone' : inWords(attesters);
    return { does: `A person (${who}) does: ${inWords(instructions)}`, calls: [] };
  },
  async run({ instructions, attesters = [], health }, ctx) {
    await ctx.human('asked', { instructions, instant: ctx.clock.now() });
    const began = (who: string): Promise<void> => ctx.human('began', { who, instant: ctx.clock.now() });
    const answer = await ctx.ports.operator.manual({ stepId: ctx.stepId, instructions, attesters }, began, ctx.signal);
    const entitled = answer !== undefined && (attesters.length === 0 || attesters.includes(answer.who));
    const instant = ctx.clock.now();
    if (!entitled) {
      await ctx.human('done', { who: answer?.who ?? null, instant, answered: false, attestation: null });
      throw new StepError(
        'manual-unanswered',
        answer === undefined ? 'nobody could be asked: there is no terminal and no prepared answer' : `${answer.who} may not attest this step; ${attesters.join(', ')} may`,
        { hint: `Run it at a terminal, or give --answers a file with ${ctx.stepId}: { who: ..., attestation: ... }.` },
      );
    }
    await ctx.human('done', { ...answer, instant, answered: true });
    if (health !== undefined) await ctx.evidence('health-checks', { checks: [{ name: health, ok: true, detail: `attested by ${answer.who}` }] });
    return { ...answer };
  },
});
