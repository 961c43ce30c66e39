import { Type } from 'typebox';
import { defineStep } from '../../engine/define-step.js';
import { strict } from '../../engine/schema.js';
import { checkPlan, described, differences, recordCode, unit } from './lib/facts.js';
import { checkState, infrastructureInput, infrastructureOf, planCall, toolRights, valuesInput } from './lib/inputs.js';
import { release, releasing } from './lib/release.js';

export const step = defineStep({
  type: 'terraform.drift',
  summary: 'Holds what is there against the code, after a refresh. Every difference is an undocumented change, by address and attribute: nothing else proves that nothing was done by hand.',
  input: Type.Object({ ...infrastructureInput, ...valuesInput }, strict),
  output: Type.Object({ clean: Type.Boolean(), differences: Type.Integer() }, strict),
  effect: 'read',
  changes: () => [],
  permissions: toolRights,
  evidence: ['infrastructure-code', 'drift'],
  examples: [{ title: 'After the rebuild', with: { infrastructure: 'shop' } }],
  cleanups: { release },
  plan: (given) => ({ does: `Holds ${infrastructureOf(given)} against its code; any difference fails the drill`, calls: [planCall(given)] }),
  preflight: checkState,
  async run({ infrastructure, ...values }, ctx) {
    await recordCode(infrastructure, ctx);
    const saved = await releasing(ctx, 'terraform.drift', infrastructure, (marked) => ctx.ports.infrastructure.plan(infrastructure, values, marked, ctx.signal));
    checkPlan(saved);
    const { facts, exitCode } = saved;
    for (const change of facts.drift) ctx.log(`changed outside: ${described(change)}`);
    for (const change of facts.changes) ctx.log(`not as the code says: ${described(change)}`);
    await ctx.evidence('drift', { connection: infrastructure, units: [{ unit, exitCode, differences: exitCode === 0 ? [] : differences(facts.changes), outputs: exitCode === 0 ? [] : [...facts.outputs] }] });
    return { clean: exitCode === 0, differences: exitCode === 0 ? 0 : facts.changes.length + facts.outputs.length };
  },
});
