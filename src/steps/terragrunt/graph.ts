import { Type } from 'typebox';
import { defineStep } from '../../engine/define-step.js';
import { StepError } from '../../engine/errors.js';
import { membersOf } from '../../engine/plannable.js';
import { strict } from '../../engine/schema.js';
import { recordCode } from './lib/evidence.js';
import { commands, Env, envWords, Infrastructure } from './lib/inputs.js';

export const step = defineStep({
  type: 'terragrunt.graph',
  summary: 'Reads which units there are and which hangs on which, and notes the code that they are made of.',
  input: Type.Object({ infrastructure: Infrastructure, env: Type.Optional(Env) }, strict),
  output: Type.Object(
    {
      units: Type.Array(Type.Object({ unit: Type.String(), after: Type.Array(Type.String()) }, strict), { description: 'In the order of their dependencies' }),
      count: Type.Integer(),
    },
    strict,
  ),
  effect: 'read',
  changes: () => [],
  permissions: () => commands,
  evidence: ['infrastructure-code'],
  examples: [{ title: 'The units of an environment', with: { infrastructure: 'stack' } }],
  plan: (given) => ({ does: 'Reads the units and what each hangs on', calls: [`${envWords(membersOf(given).env)}terragrunt find --json --dag --dependencies`] }),
  async run({ infrastructure, env = {} }, ctx) {
    const units = await ctx.ports.terragrunt.units(infrastructure, env, ctx.signal);
    if (units.length === 0) throw new StepError('no-units', `there is no unit below ${ctx.ports.terragrunt.directory(infrastructure)}`);
    await recordCode(ctx, infrastructure, units);
    for (const { unit, after } of units) ctx.log(after.length === 0 ? unit : `${unit} after ${after.join(', ')}`);
    return { units: units.map(({ unit, after }) => ({ unit, after: [...after] })), count: units.length };
  },
});
