import { Type } from 'typebox';
import { defineStep } from '../../engine/define-step.js';
import { inWords as said, itemsOf, membersOf } from '../../engine/plannable.js';
import { strict } from '../../engine/schema.js';
import { applying } from './lib/applying.js';
import { checkAllowance, checkPlan, inWords, recordPlan } from './lib/facts.js';
import { checkState, infrastructureInput, infrastructureOf, mayDestroyInput, planCall, stateChanges, targetsInput, toolRights, valuesInput } from './lib/inputs.js';
import { release, releasing } from './lib/release.js';
import { nothingLeft } from './lib/take-down.js';

export const step = defineStep({
  type: 'terraform.destroy',
  summary: 'Plans to take everything down, shows what goes, does it if the environment allows each of it, and proves that the state is empty.',
  input: Type.Object({ ...infrastructureInput, ...valuesInput, ...targetsInput, ...mayDestroyInput(['*']) }, strict),
  output: Type.Object({ destroyed: Type.Integer(), left: Type.Integer({ description: 'Resources in the state; only with `targets`' }), summary: Type.String() }, strict),
  effect: 'destroy',
  changes: stateChanges,
  permissions: toolRights,
  evidence: ['infrastructure-plan', 'infrastructure-state'],
  examples: [{ title: 'Everything', with: { infrastructure: 'shop' } }],
  cleanups: { release },
  plan(given) {
    const { targets } = membersOf(given);
    const which = itemsOf(targets).map(said);
    return { does: `Destroys ${which.length === 0 ? 'all' : which.join(', ')} of ${infrastructureOf(given)}, as far as the environment allows it`, calls: [planCall(given, ['-destroy']), 'terraform show -json', 'terraform apply <saved plan>'] };
  },
  preflight: checkState,
  async run({ infrastructure, mayDestroy = ['*'], ...values }, ctx) {
    const port = ctx.ports.infrastructure;
    const saved = await releasing(ctx, 'terraform.destroy', infrastructure, (marked) => port.plan(infrastructure, { ...values, destroy: true }, marked, ctx.signal));
    await recordPlan(infrastructure, saved, ctx);
    checkPlan(saved);
    checkAllowance(infrastructure, saved.facts, mayDestroy, ctx);
    const state = await applying('terraform.destroy', infrastructure, saved, ctx);
    if (values.targets === undefined) await nothingLeft(port, infrastructure, ctx.signal);
    return { destroyed: saved.facts.counts.destroy, left: state?.resources.length ?? 0, summary: inWords(saved.facts) };
  },
});
