import { Type } from 'typebox';
import { canonicalJson, sha256 } from '../../engine/canonical.js';
import { defineStep } from '../../engine/define-step.js';
import { StepError } from '../../engine/errors.js';
import { inWords, knownText, membersOf } from '../../engine/plannable.js';
import { literals, strict } from '../../engine/schema.js';
import { rightOf } from './lib/declare.js';
import { Kubernetes, Namespace } from './lib/inputs.js';
import { compareInventory, countsOf, inventoryKinds, takeInventory } from './lib/inventory.js';

const Row = Type.Object({ object: Type.String({ minLength: 1 }), digest: Type.Optional(Type.String({ minLength: 1 })) }, strict);

export const step = defineStep({
  type: 'k8s.inventory',
  summary: 'Records what a namespace is made of: workloads, Secrets (names and key names, never values), config maps, services, ingresses and volumes, with counts and digests. With `expect` it compares.',
  input: Type.Object(
    {
      kubernetes: Kubernetes,
      namespace: Namespace,
      also: Type.Optional(Type.Array(Type.String({ minLength: 1 }), { description: 'Other kinds to record, as in clusters.postgresql.cnpg.io' })),
      expect: Type.Optional(Type.Array(Row, { description: 'What must be there, as in the output `inventory` of an earlier step: {{ steps.before.inventory }}. Without a digest the name is enough' })),
      extra: Type.Optional(literals(['refuse', 'allow'], { default: 'refuse', description: 'Objects that `expect` does not name' })),
    },
    strict,
  ),
  output: Type.Object(
    {
      objects: Type.Integer(),
      counts: Type.Record(Type.String(), Type.Integer()),
      digest: Type.String({ description: 'SHA-256 over the whole inventory: the same where content is the same, in whatever namespace or cluster' }),
      inventory: Type.Array(Type.Object({ object: Type.String(), digest: Type.String() }, strict)),
    },
    strict,
  ),
  effect: 'read',
  changes: () => [],
  permissions(given) {
    const { kubernetes, namespace, also } = membersOf(given);
    const others = (Array.isArray(also) ? also : []).map(knownText).filter((kind) => kind !== undefined);
    return [...inventoryKinds, ...others].map((kind) => rightOf({ kubernetes, namespace, kind }, ['list']));
  },
  evidence: ['namespace-inventory'],
  examples: [
    { title: 'What the namespace holds before the fault', with: { kubernetes: 'cluster' } },
    { title: 'The restored namespace holds the same', with: { kubernetes: 'cluster', namespace: 'drill', expect: '{{ steps.before.inventory }}' } },
  ],
  plan(given) {
    const { namespace, expect } = membersOf(given);
    return { does: `Records what ${namespace === undefined ? "the connection's namespace" : `the namespace ${inWords(namespace)}`} is made of${expect === undefined ? '' : ', and compares it'}`, calls: [] };
  },
  async run(given, ctx) {
    const cluster = ctx.ports.kubernetes.cluster(given.kubernetes);
    const objects = await takeInventory(cluster, given.namespace, [...inventoryKinds, ...(given.also ?? [])]);
    const inventory = objects.map(({ object, digest }) => ({ object, digest }));
    const counts = countsOf(objects);
    const digest = sha256(canonicalJson(inventory));
    const compared = given.expect === undefined ? null : compareInventory(objects, given.expect, given.extra ?? 'refuse');
    await ctx.evidence('namespace-inventory', { connection: given.kubernetes, namespace: given.namespace ?? cluster.namespace, cluster: cluster.uid, objects, counts, digest, compared });
    if (compared !== null) {
      const { missing, changed, added } = compared;
      const differences = [...missing.map((object) => `${object} is missing`), ...changed.map((object) => `${object} differs`), ...added.map((object) => `${object} is not expected`)];
      if (differences.length > 0) throw new StepError('inventory-differs', `the namespace is not as expected: ${differences.slice(0, 10).join(', ')}${differences.length > 10 ? ` and ${differences.length - 10} more` : ''}`);
    }
    return { objects: objects.length, counts, digest, inventory };
  },
});
