import type { EnvironmentConnection } from '../documents.js';
import type { PlanBinding } from '../plan-document.js';
import type { Registry } from '../registry.js';

/** How each connection will come to be, in the words of its provisioner. */
export async function planConnections(connections: Readonly<Record<string, EnvironmentConnection>>, registry: Registry): Promise<PlanBinding['environment']['connections']> {
  const planned: PlanBinding['environment']['connections'] = {};
  for (const [name, { kind, role, provision, with: input = {} }] of Object.entries(connections)) {
    const definition = await registry.provisioner(provision);
    planned[name] = { kind, role, provision, with: input, does: definition.plan(input).does };
  }
  return planned;
}
