import { Type } from 'typebox';
import { defineStep } from '../../engine/define-step.js';
import { inWords, membersOf } from '../../engine/plannable.js';
import { ConnectionName, EndpointName, nullable, strict } from '../../engine/schema.js';

export const step = defineStep({
  type: 'endpoint.switch',
  summary: 'Leads an endpoint, the address that clients use, to another connection; connections to the old one are ended.',
  input: Type.Object({ endpoint: EndpointName('The endpoint to move'), to: ConnectionName('*', 'The connection that it leads to from now on') }, strict),
  output: Type.Object({ from: nullable(Type.String()), to: Type.String() }, strict),
  effect: 'modify',
  changes: (given) => [{ system: `endpoint:${inWords(membersOf(given).endpoint)}`, object: 'target' }],
  permissions: () => [],
  evidence: [],
  examples: [{ title: 'Cut over to the restored copy', with: { endpoint: 'app', to: 'copy' } }],
  repeatable: true,
  plan(given) {
    const { endpoint, to } = membersOf(given);
    return { does: `Leads endpoint ${inWords(endpoint)} to ${inWords(to)} and ends the connections to where it led before`, calls: [] };
  },
  async run({ endpoint, to }, ctx) {
    const from = ctx.ports.endpoints.current(endpoint);
    await ctx.ports.endpoints.switch(endpoint, to);
    return { from, to };
  },
});
