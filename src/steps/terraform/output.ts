import { Type } from 'typebox';
import { defineStep } from '../../engine/define-step.js';
import { StepError } from '../../engine/errors.js';
import { strict } from '../../engine/schema.js';
import { checkState, infrastructureInput, infrastructureOf, toolRights } from './lib/inputs.js';

export const step = defineStep({
  type: 'terraform.output',
  summary: 'Reads the outputs of the root module. Sensitive ones are named, their values are not.',
  input: Type.Object({ ...infrastructureInput, names: Type.Optional(Type.Array(Type.String({ minLength: 1 }), { description: 'Outputs that must be there; default: whatever is' })) }, strict),
  output: Type.Object({ outputs: Type.Record(Type.String(), Type.Unknown(), { description: 'Those that are not sensitive' }), sensitive: Type.Array(Type.String()) }, strict),
  effect: 'read',
  changes: () => [],
  permissions: toolRights,
  evidence: [],
  examples: [{ title: 'Where the service answers', with: { infrastructure: 'shop', names: ['address'] } }],
  plan: (given) => ({ does: `Reads the outputs of ${infrastructureOf(given)}`, calls: ['terraform output -json'] }),
  preflight: checkState,
  async run({ infrastructure, names = [] }, ctx) {
    const all = await ctx.ports.infrastructure.outputs(infrastructure, ctx.signal);
    const missing = names.filter((name) => !all.some((output) => output.name === name));
    if (missing.length > 0) throw new StepError('no-such-output', `${infrastructure} has no output ${missing.join(', ')}`);
    const wanted = all.filter(({ name }) => names.length === 0 || names.includes(name));
    return { outputs: Object.fromEntries(wanted.flatMap(({ name, sensitive, value }) => (sensitive ? [] : [[name, value ?? null]]))), sensitive: wanted.filter(({ sensitive }) => sensitive).map(({ name }) => name) };
  },
});
