import { Type, type Static } from 'typebox';
import type { KubernetesCluster, KubernetesObject } from '../../clients/kubernetes/port.js';
import { defineStep, type StepContext } from '../../engine/define-step.js';
import { parseDuration } from '../../engine/duration.js';
import { StepError } from '../../engine/errors.js';
import { inWords, membersOf } from '../../engine/plannable.js';
import { Duration, strict } from '../../engine/schema.js';
import { rightOf } from './lib/declare.js';
import { Namespace } from './lib/inputs.js';
import { nodeInputs, nodeRight, nodesInWords, nodesOf } from './lib/nodes.js';
import { untilGone } from './lib/gone.js';
import { nameOf, sameObject, uidOf } from './lib/objects.js';

/** Between two attempts on the same pod; a budget that opens is noticed by watch. */
const pauseMs = 500;

const input = Type.Object(
  {
    ...nodeInputs,
    namespace: Namespace,
    podSelector: Type.Optional(Type.String({ minLength: 1, description: 'Labels of the pods to evict; default: all of the namespace that run there' })),
    gracePeriod: Type.Optional(Duration("How long a pod's processes get to end, in whole seconds; default: as the pod says.")),
  },
  strict,
);

type Input = Static<typeof input>;

interface Pod {
  readonly spec?: { readonly nodeName?: string };
  readonly status?: { readonly phase?: string };
}

export const step = defineStep({
  type: 'k8s.drain',
  summary: "Evicts a namespace's pods from nodes and waits until they are gone. Disruption budgets hold: it waits for them. Pods of DaemonSets and of other namespaces stay.",
  input,
  output: Type.Object({ nodes: Type.Array(Type.String()), evicted: Type.Array(Type.String()), stayed: Type.Array(Type.String(), { description: 'Pods of DaemonSets and of the node itself' }), refusals: Type.Integer({ description: 'How often a disruption budget said not yet' }) }, strict),
  effect: 'destroy',
  changes(given) {
    const { kubernetes, namespace } = membersOf(given);
    return [{ system: `kubernetes:${inWords(kubernetes)}`, object: `pod ${namespace === undefined ? '*' : inWords(namespace)}/*` }];
  },
  permissions(given) {
    const { kubernetes, namespace, nodes } = membersOf(given);
    const on = (kind: string, apiVersion?: string) => ({ kubernetes, namespace, kind, apiVersion });
    return [
      nodeRight(membersOf(given), [nodes === undefined ? 'list' : 'get']),
      rightOf(on('Pod'), ['get', 'list', 'watch']),
      rightOf(on('Pod'), ['create'], { subresource: 'eviction' }),
      rightOf(on('PodDisruptionBudget'), ['list', 'watch']),
    ];
  },
  evidence: [],
  examples: [{ title: "Empty a zone's nodes", with: { kubernetes: 'cluster', selector: 'topology.kubernetes.io/zone=eu-central-1a' } }],
  repeatable: true,
  plan(given) {
    const { nodes, selector, podSelector } = membersOf(given);
    const which = nodesInWords(membersOf(given));
    return { does: `Evicts ${podSelector === undefined ? 'the pods' : `the pods with ${inWords(podSelector)}`} from ${which}`, calls: [`kubectl drain ${nodes === undefined ? `-l ${inWords(selector)}` : inWords(nodes)} --ignore-daemonsets --delete-emptydir-data`] };
  },
  async run(given, ctx) {
    const cluster = ctx.ports.kubernetes.cluster(given.kubernetes);
    const nodes = new Set((await nodesOf(cluster, given)).map(({ metadata }) => metadata.name));
    const collection = { kind: 'Pod', apiVersion: 'v1', ...(given.namespace === undefined ? {} : { namespace: given.namespace }) };
    const { items } = await cluster.list(collection, given.podSelector === undefined ? {} : { labelSelector: given.podSelector });
    const there = items.filter((pod) => nodes.has((pod as Pod).spec?.nodeName ?? '') && !['Succeeded', 'Failed'].includes((pod as Pod).status?.phase ?? ''));
    const staying = there.filter(staysOnNode);
    const leaving = there.filter((pod) => !staysOnNode(pod));
    const refusals = await Promise.all(leaving.map((pod) => evicted(cluster, pod, given, ctx)));
    const names = (pods: readonly KubernetesObject[]) => pods.map(({ metadata }) => metadata.name);
    return { nodes: [...nodes], evicted: names(leaving), stayed: names(staying), refusals: refusals.reduce((sum, count) => sum + count, 0) };
  },
});

/** A DaemonSet would put it back at once, and only the node itself ends a static pod. */
function staysOnNode({ metadata }: KubernetesObject): boolean {
  return metadata.ownerReferences?.some(({ kind, controller }) => kind === 'DaemonSet' && controller === true) === true || metadata.annotations?.['kubernetes.io/config.mirror'] !== undefined;
}

/** Resolves, when the pod is gone, to how often a disruption budget refused. */
async function evicted(cluster: KubernetesCluster, pod: KubernetesObject, given: Input, ctx: StepContext): Promise<number> {
  const { name, namespace } = pod.metadata;
  const reference = { name, ...(namespace === undefined ? {} : { namespace }) };
  const uid = uidOf(pod);
  const grace = given.gracePeriod === undefined ? {} : { gracePeriodSeconds: Math.round(parseDuration(given.gracePeriod) / 1000) };
  for (let refusals = 0; ; refusals += 1) {
    try {
      await cluster.evict(reference, { uid, ...grace });
      ctx.log(`evicted ${nameOf(pod)}`);
      await untilGone(cluster, { kind: 'Pod', apiVersion: 'v1', ...reference }, uid, ctx.signal);
      return refusals;
    } catch (error) {
      // Another pod bears its name, or the budget was being counted anew.
      if (!(error instanceof StepError) || (error.code !== 'k8s-disruption-budget' && error.code !== 'k8s-conflict')) throw error;
      if ((await sameObject(cluster, { kind: 'Pod', apiVersion: 'v1', ...reference }, uid)) === undefined) return refusals;
      ctx.log(`not yet: ${error.message}`);
      await ctx.clock.sleep(pauseMs, ctx.signal);
      await untilBudgetOpens(cluster, namespace, ctx.signal);
    }
  }
}

/** Some budget of the namespace allows a disruption. */
async function untilBudgetOpens(cluster: KubernetesCluster, namespace: string | undefined, signal: AbortSignal): Promise<void> {
  const isOpen = (object: KubernetesObject) => ((object as { status?: { disruptionsAllowed?: number } }).status?.disruptionsAllowed ?? 0) > 0;
  for await (const event of cluster.watch({ kind: 'poddisruptionbudgets.policy', ...(namespace === undefined ? {} : { namespace }) }, {}, signal)) {
    const seen = event.type === 'listed' ? event.items : event.type === 'added' || event.type === 'modified' ? [event.object] : [];
    if (event.type === 'deleted' || seen.some(isOpen) || (event.type === 'listed' && seen.length === 0)) return;
  }
  signal.throwIfAborted();
}
