import { randomUUID } from 'node:crypto';
import { Type } from 'typebox';
import { defineStep } from '../../engine/define-step.js';
import { StepError } from '../../engine/errors.js';
import { inWords, membersOf } from '../../engine/plannable.js';
import { strict } from '../../engine/schema.js';
import { carryOut } from './lib/carry-out.js';
import { recordStates } from './lib/evidence.js';
import { commands, Infrastructure, mayDestroyInput, PlanId, stackChanges, Tolerate } from './lib/inputs.js';

export const step = defineStep({
  type: 'terragrunt.destroy',
  summary: 'Carries out plans to destroy that were saved and shown, dependents first, and proves that every state of the environment is empty afterwards.',
  input: Type.Object({ infrastructure: Infrastructure, plan: PlanId, mayDestroy: mayDestroyInput(['*']), tolerate: Type.Optional(Tolerate) }, strict),
  output: Type.Object({ units: Type.Integer({ description: 'How many held something' }), destroyed: Type.Integer({ description: 'Resources' }) }, strict),
  effect: 'destroy',
  changes: (given) => stackChanges(membersOf(given).infrastructure),
  permissions: () => commands,
  evidence: ['infrastructure-state'],
  examples: [{ title: 'What was planned and looked at', with: { infrastructure: 'stack', plan: '{{ steps.plan-destroy.plan }}' } }],
  cleanups: {
    release: {
      summary: 'Ends what still runs and removes the state locks that it left',
      async run(data, _identity, ctx) {
        const { infrastructure, mark, units } = data;
        if (typeof infrastructure !== 'string' || typeof mark !== 'string' || !Array.isArray(units)) throw new StepError('bad-cleanup', 'the cleanup does not say what to release');
        await ctx.ports.terragrunt.release(infrastructure, mark, units.filter((unit) => typeof unit === 'string'), {}, ctx.signal);
      },
    },
  },
  plan: (given) => ({
    does: `Carries out the saved plans ${inWords(membersOf(given).plan)}, dependents first, and looks whether every state is empty afterwards`,
    calls: ['terragrunt run --all --filter=<units of one turn> --out-dir --report-file -- apply <saved plan>', 'terragrunt run -- state pull'],
    undo: ['ends what still runs and removes the state locks that it left'],
  }),
  async run({ infrastructure, plan: id, mayDestroy = ['*'], tolerate = [] }, ctx) {
    const { terragrunt } = ctx.ports;
    const plan = await terragrunt.saved(infrastructure, id);
    if (!plan.destroy) throw new StepError('plan-builds', 'this plan was not made to take everything down', { hint: 'Give terragrunt.plan destroy: true.' });
    const forgotten = plan.units.flatMap(({ unit, facts }) => facts.changes.filter(({ action }) => action === 'forget').map(({ address }) => `${unit} ${address}`));
    if (forgotten.length > 0) throw new StepError('leaves-behind', `the plan only forgets, and leaves in place: ${forgotten.slice(0, 10).join(', ')}`);
    const mark = randomUUID();
    const cleanup = await ctx.defer({ uses: 'terragrunt.destroy/release', with: { infrastructure, mark, units: plan.units.map(({ unit }) => unit) } });
    const runs = await carryOut({ connection: infrastructure, plan, effect: 'destroy', mayDestroy, mark, tolerate }, ctx);
    const every = await terragrunt.units(infrastructure, plan.env, ctx.signal);
    const states = await terragrunt.states(infrastructure, every.map(({ unit }) => unit), plan.env, ctx.signal);
    await recordStates(ctx, infrastructure, 'destroyed', states);
    const left = states.flatMap(({ unit, state }) => (state?.resources ?? []).map((address) => `${unit} ${address}`));
    if (left.length > 0) throw new StepError('resources-left', `${left.length} resource(s) are left: ${left.slice(0, 10).join(', ')}`);
    await cleanup.done();
    return { units: runs.length, destroyed: plan.units.reduce((sum, { facts }) => sum + facts.counts.destroy, 0) };
  },
});
