import { Type } from 'typebox';
import { defineStep } from '../../engine/define-step.js';
import { membersOf } from '../../engine/plannable.js';
import { strict } from '../../engine/schema.js';
import { commands, Env, envWords, Infrastructure, Units } from './lib/inputs.js';

export const step = defineStep({
  type: 'terragrunt.output',
  summary: 'Reads outputs of units. Of sensitive ones only the names.',
  input: Type.Object({ infrastructure: Infrastructure, units: Type.Optional(Units), env: Type.Optional(Env) }, strict),
  output: Type.Object(
    {
      outputs: Type.Record(Type.String(), Type.Record(Type.String(), Type.Unknown()), { description: 'By unit and name' }),
      sensitive: Type.Array(Type.String(), { description: '`<unit>.<name>` of the outputs that are left out' }),
    },
    strict,
  ),
  effect: 'read',
  changes: () => [],
  permissions: () => commands,
  evidence: [],
  examples: [{ title: 'What the cluster says of itself', with: { infrastructure: 'stack', units: ['cluster'] } }],
  plan: (given) => ({ does: 'Reads the outputs of the units', calls: [`${envWords(membersOf(given).env)}terragrunt run -- output -json`] }),
  async run({ infrastructure, units, env = {} }, ctx) {
    const { terragrunt } = ctx.ports;
    const wanted = units ?? (await terragrunt.units(infrastructure, env, ctx.signal)).map(({ unit }) => unit);
    const read = await terragrunt.outputs(infrastructure, wanted, env, ctx.signal);
    return {
      outputs: Object.fromEntries(read.map(({ unit, outputs }) => [unit, Object.fromEntries(outputs.flatMap(({ name, sensitive, value }) => (sensitive ? [] : [[name, value] as const])))])),
      sensitive: read.flatMap(({ unit, outputs }) => outputs.filter(({ sensitive }) => sensitive).map(({ name }) => `${unit}.${name}`)),
    };
  },
});
