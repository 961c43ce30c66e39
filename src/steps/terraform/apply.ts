import { Type } from 'typebox';
import { defineStep } from '../../engine/define-step.js';
import { inWords as said, itemsOf, membersOf } from '../../engine/plannable.js';
import { nullable, strict } from '../../engine/schema.js';
import { applying } from './lib/applying.js';
import { checkAllowance, checkPlan, gone, inWords, recordState } from './lib/facts.js';
import { checkState, infrastructureInput, infrastructureOf, mayDestroyInput, stateChanges, toolRights } from './lib/inputs.js';
import { release } from './lib/release.js';
import { takeDown } from './lib/take-down.js';

export const step = defineStep({
  type: 'terraform.apply',
  summary: 'Applies a plan that an earlier step saved and showed, if it is still the same and the state has not moved. What it may not destroy or replace stops it.',
  input: Type.Object({ ...infrastructureInput, plan: Type.String({ minLength: 1, description: 'The output `plan` of a step `terraform.plan`' }), ...mayDestroyInput([]) }, strict),
  output: Type.Object(
    {
      serial: nullable(Type.Integer()),
      serialBefore: nullable(Type.Integer({ description: 'Of the state that the plan was made on; null where there was none' })),
      lineage: nullable(Type.String()),
      resources: Type.Integer({ description: 'In the state' }),
      summary: Type.String(),
    },
    strict,
  ),
  effect: (given) => (itemsOf(membersOf(given).mayDestroy).length > 0 ? 'destroy' : 'modify'),
  changes: stateChanges,
  permissions: toolRights,
  evidence: ['infrastructure-state'],
  examples: [
    { title: 'What was planned', with: { infrastructure: 'shop', plan: '{{ steps.plan.plan }}' } },
    { title: 'With one resource that may be made anew', with: { infrastructure: 'shop', plan: '{{ steps.plan.plan }}', mayDestroy: ['terraform_data.app'] } },
  ],
  cleanups: { release, 'take-down': takeDown },
  plan(given) {
    const { plan, mayDestroy } = membersOf(given);
    const allowed = itemsOf(mayDestroy).map(said);
    return {
      does: `Applies the saved plan ${said(plan)} to ${infrastructureOf(given)}; may destroy or replace ${allowed.length === 0 ? 'nothing' : allowed.join(', ')}`,
      calls: ['terraform apply <saved plan>'],
      undo: ['destroys what it built, where there was no resource before'],
    };
  },
  preflight: checkState,
  async run({ infrastructure, plan, mayDestroy = [] }, ctx) {
    const port = ctx.ports.infrastructure;
    const saved = await port.saved(infrastructure, plan, ctx.signal);
    checkPlan(saved);
    checkAllowance(infrastructure, saved.facts, mayDestroy, ctx);
    const before = await port.state(infrastructure, ctx.signal);
    await recordState(infrastructure, 'before', before, ctx);
    const makes = saved.facts.changes.filter(({ action }) => action === 'create').map(({ address }) => address);
    const begins = (before === null || before.resources.length === 0) && makes.length > 0;
    const undo = begins ? await ctx.defer({ uses: 'terraform.apply/take-down', with: { infrastructure, plan, makes } }) : undefined;
    const state = await applying('terraform.apply', infrastructure, saved, ctx);
    if (state !== null) await undo?.confirm({ lineage: state.lineage });
    ctx.log(`applied: ${inWords(saved.facts)}${gone(saved.facts).length === 0 ? '' : `; gone: ${gone(saved.facts).join(', ')}`}`);
    return { serial: state?.serial ?? null, serialBefore: before?.serial ?? null, lineage: state?.lineage ?? null, resources: state?.resources.length ?? 0, summary: inWords(saved.facts) };
  },
});
