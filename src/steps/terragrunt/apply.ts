import { randomUUID } from 'node:crypto';
import { Type } from 'typebox';
import { defineStep } from '../../engine/define-step.js';
import { inWords, itemsOf, membersOf } from '../../engine/plannable.js';
import { strict } from '../../engine/schema.js';
import { StepError } from '../../engine/errors.js';
import { criticalPath } from '../../engine/units.js';
import { carryOut } from './lib/carry-out.js';
import { recordStates } from './lib/evidence.js';
import { commands, Infrastructure, mayDestroyInput, PlanId, stackChanges, Tolerate } from './lib/inputs.js';
import { removeBuilt, type Built } from './lib/remove.js';

export const step = defineStep({
  type: 'terragrunt.apply',
  summary: 'Applies plans that were saved and shown, in the order of the dependencies. What stood on outputs that were not there yet is planned again, and may do no more than was looked at.',
  input: Type.Object(
    {
      infrastructure: Infrastructure,
      plan: PlanId,
      mayDestroy: mayDestroyInput([]),
      tolerate: Type.Optional(Tolerate),
    },
    strict,
  ),
  output: Type.Object({ units: Type.Integer({ description: 'How many were worked on' }), criticalPath: Type.Array(Type.String(), { description: 'The chain of units that made it take as long as it did' }) }, strict),
  effect: (given) => (itemsOf(membersOf(given).mayDestroy).length > 0 ? 'destroy' : 'modify'),
  changes: (given) => stackChanges(membersOf(given).infrastructure),
  permissions: () => commands,
  evidence: ['infrastructure-state', 'infrastructure-plan'],
  examples: [
    { title: 'What was planned and looked at', with: { infrastructure: 'stack', plan: '{{ steps.plan.plan }}' } },
    { title: 'With one resource that may be made anew', with: { infrastructure: 'stack', plan: '{{ steps.plan.plan }}', mayDestroy: ['cluster terraform_data.certificate'] } },
    { title: 'An API that is known to answer late the first time', with: { infrastructure: 'stack', plan: '{{ steps.plan.plan }}', tolerate: [{ unit: 'queue', reason: 'retry succeeded' }] } },
  ],
  cleanups: { remove: removeBuilt },
  plan(given) {
    const { plan, tolerate, mayDestroy } = membersOf(given);
    const allowed = itemsOf(mayDestroy).map(inWords);
    return {
      does: `Applies the saved plans ${inWords(plan)} in the order of the dependencies; refuses what is stale; may destroy or replace ${allowed.length === 0 ? 'nothing' : allowed.join(', ')}${tolerate === undefined ? '' : `; tolerates ${inWords(tolerate)}`}`,
      calls: ['terragrunt run --all --filter=<units of one turn> --out-dir --report-file -- apply <saved plan>'],
      undo: ['ends what still runs, removes the state locks that it left, and destroys what was built in units that had been empty'],
    };
  },
  async run({ infrastructure, plan: id, mayDestroy = [], tolerate = [] }, ctx) {
    const { terragrunt } = ctx.ports;
    const plan = await terragrunt.saved(infrastructure, id);
    if (plan.destroy) throw new StepError('plan-destroys', 'this plan was made to take everything down', { hint: 'terragrunt.destroy carries it out.' });
    const before = await terragrunt.states(infrastructure, plan.units.map(({ unit }) => unit), plan.env, ctx.signal);
    await recordStates(ctx, infrastructure, 'before', before);
    const mark = randomUUID();
    const units = before.filter(({ state }) => state === null || state.resources.length === 0).map(({ unit }) => unit);
    await ctx.defer({ uses: 'terragrunt.apply/remove', with: { infrastructure, mark, units, env: plan.env } satisfies Built });
    const runs = await carryOut({ connection: infrastructure, plan, effect: mayDestroy.length > 0 ? 'destroy' : 'modify', mayDestroy, mark, tolerate }, ctx);
    return { units: runs.length, criticalPath: criticalPath(runs.map((run) => ({ ...run, after: [...(plan.units.find(({ unit }) => unit === run.unit)?.after ?? [])] }))) };
  },
});
