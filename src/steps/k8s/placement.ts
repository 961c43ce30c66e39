import { Type, type Static } from 'typebox';
import type { KubernetesCluster, KubernetesObject } from '../../clients/kubernetes/port.js';
import { defineStep, type StepContext } from '../../engine/define-step.js';
import { messageOf, StepError } from '../../engine/errors.js';
import { inWords, membersOf } from '../../engine/plannable.js';
import { strict } from '../../engine/schema.js';
import { rightOf } from './lib/declare.js';
import { Kubernetes, Namespace } from './lib/inputs.js';
import { nodeRight } from './lib/nodes.js';
import { nodeOf, readySince, Seen } from './lib/ready.js';

const input = Type.Object(
  {
    kubernetes: Kubernetes,
    namespace: Namespace,
    selector: Type.String({ minLength: 1, description: 'Labels of the pods' }),
    ready: Type.Integer({ minimum: 1, description: 'How many of them must be ready on other nodes' }),
    outside: Type.String({ minLength: 1, description: 'Labels of the nodes on which none may be ready any more: topology.kubernetes.io/zone=eu-central-1a' }),
    health: Type.Optional(Type.String({ minLength: 1, description: 'Name of the health check that it answers' })),
  },
  strict,
);

type Input = Static<typeof input>;

export const step = defineStep({
  type: 'k8s.placement',
  summary: 'Waits, by watch, until enough pods are ready on nodes outside a zone, and none inside.',
  input,
  output: Type.Object({ waitedMs: Type.Number(), nodes: Type.Record(Type.String(), Type.Integer(), { description: 'Ready pods on each node' }) }, strict),
  effect: 'read',
  changes: () => [],
  permissions(given) {
    const { kubernetes, namespace } = membersOf(given);
    return [rightOf({ kubernetes, namespace, kind: 'Pod' }, ['list', 'watch']), nodeRight({ kubernetes }, ['list'])];
  },
  evidence: ['health-checks'],
  examples: [{ title: 'The web tier runs in the other zones', with: { kubernetes: 'cluster', selector: 'app=web', ready: 4, outside: 'topology.kubernetes.io/zone=eu-central-1a', health: 'The web tier runs in the other zones' } }],
  repeatable: true,
  plan(given) {
    const { selector, ready, outside } = membersOf(given);
    return { does: `Waits until ${inWords(ready)} pods with ${inWords(selector)} are ready outside the nodes with ${inWords(outside)}, and none there`, calls: [] };
  },
  async run(given, ctx) {
    const began = process.hrtime.bigint();
    const tell = async (ok: boolean, detail: string): Promise<void> => {
      if (given.health !== undefined) await ctx.evidence('health-checks', { checks: [{ name: given.health, ok, detail }] });
    };
    try {
      const nodes = await placed(given, ctx);
      await tell(true, Object.entries(nodes).map(([node, count]) => `${count} on ${node}`).join(', '));
      return { waitedMs: Number(process.hrtime.bigint() - began) / 1e6, nodes };
    } catch (error) {
      if (ctx.signal.aborted) await tell(false, messageOf(error));
      throw error;
    }
  },
});

async function placed(given: Input, ctx: StepContext): Promise<Record<string, number>> {
  const cluster = ctx.ports.kubernetes.cluster(given.kubernetes);
  const collection = { kind: 'Pod', apiVersion: 'v1', ...(given.namespace === undefined ? {} : { namespace: given.namespace }) };
  const seen = new Seen();
  let nodes = await nodesOf(cluster, given.outside);
  for await (const event of cluster.watch(collection, { labelSelector: given.selector }, ctx.signal)) {
    if (!seen.take(event)) {
      if ('detail' in event) ctx.log(event.detail);
      continue;
    }
    const names = seen.objects.filter((pod) => readySince(pod) !== undefined).flatMap((pod) => nodeOf(pod) ?? []);
    if (names.some((name) => !nodes.has(name))) nodes = await nodesOf(cluster, given.outside);
    const elsewhere = names.filter((name) => nodes.get(name) === false);
    if (elsewhere.length < given.ready || names.some((name) => nodes.get(name) === true)) continue;
    return Object.fromEntries([...new Set(elsewhere)].toSorted().map((node) => [node, elsewhere.filter((name) => name === node).length]));
  }
  ctx.signal.throwIfAborted();
  throw new StepError('k8s-error', 'the watch ended');
}

/** The names of all nodes, and whether each has these labels. */
async function nodesOf(cluster: KubernetesCluster, labels: string): Promise<ReadonlyMap<string, boolean>> {
  const list = async (options: { readonly labelSelector?: string }): Promise<readonly string[]> => (await cluster.list({ kind: 'Node', apiVersion: 'v1' }, { metadataOnly: true, ...options })).items.map(({ metadata }: KubernetesObject) => metadata.name);
  const [all, inside] = await Promise.all([list({}), list({ labelSelector: labels })]);
  return new Map(all.map((name) => [name, inside.includes(name)]));
}
