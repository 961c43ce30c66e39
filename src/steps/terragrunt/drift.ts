import { randomUUID } from 'node:crypto';
import { Type } from 'typebox';
import { defineStep } from '../../engine/define-step.js';
import { membersOf } from '../../engine/plannable.js';
import { strict } from '../../engine/schema.js';
import { recordCode, recordStates } from './lib/evidence.js';
import { commands, Env, envWords, Infrastructure, Tolerate } from './lib/inputs.js';
import { live, recordRuns } from './lib/live.js';

export const step = defineStep({
  type: 'terragrunt.drift',
  summary: 'Holds every unit against its code: plan with refresh must find nothing to do. Whatever differs was done by hand, and fails the drill by its address.',
  // The verdict goes by `tolerate`.
  input: Type.Object({ infrastructure: Infrastructure, env: Type.Optional(Env), tolerate: Type.Optional(Tolerate) }, strict),
  output: Type.Object({ units: Type.Integer(), differing: Type.Integer({ description: 'Units that are not as their code says' }) }, strict),
  effect: 'read',
  changes: () => [],
  permissions: () => commands,
  evidence: ['drift', 'infrastructure-code', 'infrastructure-state'],
  examples: [{ title: 'With all the flags that were given while it was built', with: { infrastructure: 'stack', env: { ENABLE_CNPG: 'true' } } }],
  plan: (given) => ({ does: `Holds all units against their code${membersOf(given).env === undefined ? '' : `, with ${envWords(membersOf(given).env).trim()}`}`, calls: [`${envWords(membersOf(given).env)}terragrunt run --all -- plan -detailed-exitcode`, 'terragrunt run -- state pull'] }),
  async run({ infrastructure, env = {} }, ctx) {
    const { terragrunt } = ctx.ports;
    const { how, told } = live(ctx, randomUUID());
    const { plan, runs, units } = await terragrunt.plan(infrastructure, { env, targets: [], destroy: false }, how, ctx.signal);
    await told();
    await recordCode(ctx, infrastructure, units);
    await recordRuns(ctx, runs, units);
    await recordStates(ctx, infrastructure, 'applied', await terragrunt.states(infrastructure, units.map(({ unit }) => unit), env, ctx.signal));
    const checked = units.map(({ unit }) => {
      const made = plan.units.find((each) => each.unit === unit);
      if (made === undefined) {
        const run = runs.find((each) => each.unit === unit);
        return { unit, exitCode: 1, differences: [], outputs: [], detail: run === undefined ? 'it was not planned' : `${run.result}${run.reason === null ? '' : `: ${run.reason}`}` };
      }
      const { facts } = made;
      for (const { address, action } of facts.drift) ctx.log(`${unit}: changed outside: ${action} ${address}`);
      const differences = facts.changes.map(({ address, action, attributes }) => ({ address, actions: [action], attributes: attributes.map(({ name, sensitive }) => (sensitive ? `${name} (sensitive)` : name)) }));
      return { unit, exitCode: differences.length + facts.outputs.length > 0 ? 2 : 0, differences, outputs: [...facts.outputs] };
    });
    await ctx.evidence('drift', { connection: infrastructure, units: checked });
    return { units: checked.length, differing: checked.filter(({ exitCode }) => exitCode !== 0).length };
  },
});
