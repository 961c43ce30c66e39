import { Type } from 'typebox';
import { defineStep } from '../../engine/define-step.js';
import { StepError } from '../../engine/errors.js';
import { membersOf } from '../../engine/plannable.js';
import { literals, strict } from '../../engine/schema.js';
import { checkPlan, described, gone, inWords, recordCode, recordPlan } from './lib/facts.js';
import { checkState, infrastructureInput, infrastructureOf, planCall, replaceInput, targetsInput, toolRights, valuesInput } from './lib/inputs.js';
import { release, releasing } from './lib/release.js';

const Addresses = (description: string) => Type.Array(Type.String(), { description });

export const step = defineStep({
  type: 'terraform.plan',
  summary: 'Plans, saves the plan and shows it: how much it creates, updates, replaces and destroys, and each address that goes. Nothing else can be applied later.',
  input: Type.Object(
    {
      ...infrastructureInput,
      ...valuesInput,
      ...targetsInput,
      ...replaceInput,
      destroy: Type.Optional(Type.Boolean({ default: false, description: 'Plan to take everything down' })),
      expect: Type.Optional(literals(['any', 'changes', 'none'], { default: 'any', description: 'Fail when there is nothing to change, or when there is' })),
    },
    strict,
  ),
  output: Type.Object(
    {
      plan: Type.String({ description: 'By which `terraform.apply` names it: the SHA-256 of the saved plan' }),
      changes: Type.Integer({ description: 'How many resources it would alter' }),
      create: Type.Integer(),
      update: Type.Integer(),
      replace: Type.Integer(),
      destroy: Type.Integer(),
      addresses: Addresses('Everything that it would alter'),
      gone: Addresses('What it would destroy, replace or forget'),
      drift: Addresses('What the refresh found changed outside'),
      summary: Type.String(),
    },
    strict,
  ),
  effect: 'read',
  changes: () => [],
  permissions: toolRights,
  evidence: ['infrastructure-code', 'infrastructure-plan'],
  examples: [
    { title: 'What the code would change', with: { infrastructure: 'shop' } },
    { title: 'A bad release', with: { infrastructure: 'shop', vars: { release: '2.0.0' }, expect: 'changes' } },
  ],
  cleanups: { release },
  plan(given) {
    const { destroy } = membersOf(given);
    return { does: `Plans ${infrastructureOf(given)}${destroy === true ? ' to take it down' : ''}, saves the plan and shows it`, calls: [planCall(given, destroy === true ? ['-destroy'] : []), 'terraform show -json'] };
  },
  preflight: checkState,
  async run(given, ctx) {
    const { infrastructure, expect = 'any', ...request } = given;
    await recordCode(infrastructure, ctx);
    const saved = await releasing(ctx, 'terraform.plan', infrastructure, (marked) => ctx.ports.infrastructure.plan(infrastructure, request, marked, ctx.signal));
    await recordPlan(infrastructure, saved, ctx);
    checkPlan(saved);
    const { facts } = saved;
    const { create, update, replace, destroy } = facts.counts;
    if (expect === 'changes' && saved.exitCode === 0) throw new StepError('nothing-to-change', `${infrastructure} is already as its code says`);
    if (expect === 'none' && saved.exitCode !== 0) throw new StepError('unexpected-changes', `${infrastructure} is not as its code says: ${facts.changes.length === 0 ? `outputs ${facts.outputs.join(', ')}` : facts.changes.slice(0, 10).map(described).join('; ')}`);
    return { plan: saved.sha256, changes: facts.changes.length, create, update, replace, destroy, addresses: facts.changes.map(({ address }) => address), gone: gone(facts), drift: facts.drift.map(({ address }) => address), summary: inWords(facts) };
  },
});
