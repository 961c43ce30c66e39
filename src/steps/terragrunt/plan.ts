import { randomUUID } from 'node:crypto';
import { Type } from 'typebox';
import { defineStep } from '../../engine/define-step.js';
import { inWords, membersOf } from '../../engine/plannable.js';
import { strict } from '../../engine/schema.js';
import { planLines, recordCode, recordPlan, sumOf } from './lib/evidence.js';
import { commands, Env, envWords, Infrastructure, Tolerate, unitFlags, Units } from './lib/inputs.js';
import { live, recordRuns } from './lib/live.js';

export const step = defineStep({
  type: 'terragrunt.plan',
  summary: 'Plans units and saves the plans, so that exactly what was looked at is applied: counts for each unit, and everything that would go.',
  input: Type.Object(
    {
      infrastructure: Infrastructure,
      units: Type.Optional(Units),
      env: Type.Optional(Env),
      targets: Type.Optional(Type.Array(Type.String({ minLength: 1 }), { minItems: 1, description: 'Resource addresses: nothing else is planned (-target)' })),
      destroy: Type.Optional(Type.Boolean({ default: false, description: 'Plan to take everything down' })),
      // The verdict goes by it.
      tolerate: Type.Optional(Tolerate),
    },
    strict,
  ),
  output: Type.Object(
    {
      plan: Type.String({ description: 'Digest of the saved plans, for terragrunt.apply or terragrunt.destroy' }),
      create: Type.Integer(),
      update: Type.Integer(),
      replace: Type.Integer(),
      destroy: Type.Integer(),
      summary: Type.String({ description: 'One line for each unit, and one for each thing that would be destroyed or replaced' }),
    },
    strict,
  ),
  effect: 'read',
  changes: () => [],
  permissions: () => commands,
  evidence: ['infrastructure-code', 'infrastructure-plan'],
  examples: [
    { title: 'Everything', with: { infrastructure: 'stack' } },
    { title: 'One release, switched on by a flag', with: { infrastructure: 'stack', units: ['services'], env: { ENABLE_CNPG: 'true' }, targets: ['helm_release.local["cloudnative-pg"]'] } },
    { title: 'To take it all down', with: { infrastructure: 'stack', destroy: true } },
  ],
  plan(given) {
    const { units, env, targets, destroy } = membersOf(given);
    const flags = Array.isArray(targets) ? targets.map((target) => ` -target=${inWords(target)}`).join('') : targets === undefined ? '' : ` -target=${inWords(targets)}`;
    const what = units === undefined ? 'all units' : inWords(units);
    return {
      does: `Plans ${destroy === true ? 'to destroy ' : ''}${what}${targets === undefined ? '' : `, only ${inWords(targets)}`}${env === undefined ? '' : `, with ${envWords(env).trim()}`}, and saves the plans`,
      calls: [`${envWords(env)}terragrunt run --all${unitFlags(units)} --out-dir --json-out-dir --report-file -- plan -detailed-exitcode${destroy === true ? ' -destroy' : ''}${flags}`],
    };
  },
  async run({ infrastructure, units, env = {}, targets = [], destroy = false }, ctx) {
    const { how, told } = live(ctx, randomUUID());
    const { plan, runs, units: known } = await ctx.ports.terragrunt.plan(infrastructure, { ...(units === undefined ? {} : { units }), env, targets, destroy }, how, ctx.signal);
    await told();
    await recordCode(ctx, infrastructure, known);
    await recordRuns(ctx, runs, known);
    await recordPlan(ctx, infrastructure, plan);
    const lines = planLines(plan);
    for (const line of lines) ctx.log(line);
    return { plan: plan.id, ...sumOf(plan.units), summary: lines.join('\n') };
  },
});
