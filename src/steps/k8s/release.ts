import { Type, type Static } from 'typebox';
import type { KubernetesCluster, KubernetesObject, WatchEvent } from '../../clients/kubernetes/port.js';
import { defineStep, type StepContext } from '../../engine/define-step.js';
import { StepError } from '../../engine/errors.js';
import { inWords, membersOf } from '../../engine/plannable.js';
import { strict } from '../../engine/schema.js';
import { changeOf, rightOf } from './lib/declare.js';
import { hasCondition } from './lib/goal.js';
import { Namespace } from './lib/inputs.js';
import { nodeInputs, nodeRight, nodesInWords, nodesOf } from './lib/nodes.js';
import { nameOf, uidOf } from './lib/objects.js';
import { nodeOf, Seen } from './lib/ready.js';

const input = Type.Object({ ...nodeInputs, namespace: Namespace }, strict);

type Input = Static<typeof input>;

/** VolumeAttachments and the volumes that they name. */
const attachments = { kind: 'VolumeAttachment', apiVersion: 'storage.k8s.io/v1' };

export const step = defineStep({
  type: 'k8s.release',
  summary: "Gives up a namespace's pods on nodes that are lost, once Kubernetes has evicted them, and waits until their volumes are detached. Nodes that answer are refused: their pods may still write. Kubernetes itself detaches a volume that nobody unmounted only after six minutes.",
  input,
  output: Type.Object({ nodes: Type.Array(Type.String()), pods: Type.Array(Type.String()), volumes: Type.Array(Type.String(), { description: 'PersistentVolumes that were attached there' }), waitedMs: Type.Number() }, strict),
  effect: 'destroy',
  changes: (given) => [changeOf({ kubernetes: membersOf(given).kubernetes, namespace: membersOf(given).namespace, kind: 'Pod' })],
  permissions(given) {
    const { kubernetes, namespace, nodes } = membersOf(given);
    return [
      nodeRight(membersOf(given), [nodes === undefined ? 'list' : 'get']),
      rightOf({ kubernetes, namespace, kind: 'Pod' }, ['list', 'watch', 'delete']),
      rightOf({ kubernetes, ...attachments }, ['list', 'watch']),
      rightOf({ kubernetes, kind: 'PersistentVolume' }, ['list']),
    ];
  },
  evidence: [],
  examples: [{ title: 'Free the volumes of a zone that is lost', with: { kubernetes: 'cluster', selector: 'topology.kubernetes.io/zone=eu-central-1a' } }],
  repeatable: true,
  plan(given) {
    const which = nodesInWords(membersOf(given));
    const { namespace } = membersOf(given);
    return { does: `Gives up the evicted pods on ${which}, which must be lost, and waits until their volumes are detached`, calls: [`kubectl delete pod <each that is evicted there>${namespace === undefined ? '' : ` -n ${inWords(namespace)}`} --force --grace-period=0`] };
  },
  async run(given, ctx) {
    const began = process.hrtime.bigint();
    const cluster = ctx.ports.kubernetes.cluster(given.kubernetes);
    const lost = await nodesOf(cluster, given);
    const alive = lost.filter((node) => hasCondition(node, 'Ready', 'True')).map(({ metadata }) => metadata.name);
    if (alive.length > 0) throw new StepError('k8s-node-alive', `the nodes ${alive.join(', ')} are ready: pods there may still write to their volumes`, { hint: 'Only the pods of nodes that are lost may be given up; drain the others.' });
    const nodes = new Set(lost.map(({ metadata }) => metadata.name));
    const pods = await givenUp(cluster, given, nodes, ctx);
    const volumes = await detached(cluster, given, nodes, ctx);
    return { nodes: [...nodes], pods, volumes, waitedMs: Number(process.hrtime.bigint() - began) / 1e6 };
  },
});

/** Deletes each pod there once it is evicted; resolves when none is left. Pods of DaemonSets tolerate that their node is lost. */
async function givenUp(cluster: KubernetesCluster, { namespace }: Input, nodes: ReadonlySet<string>, ctx: StepContext): Promise<string[]> {
  const seen = new Seen();
  const done = new Map<string, string>();
  for await (const event of cluster.watch({ kind: 'Pod', apiVersion: 'v1', ...(namespace === undefined ? {} : { namespace }) }, {}, ctx.signal)) {
    if (!told(seen, event, ctx)) continue;
    const there = seen.objects.filter((pod) => nodes.has(nodeOf(pod) ?? '') && !ofDaemonSet(pod));
    if (there.length === 0) return [...done.values()];
    for (const pod of there.filter(({ metadata }) => metadata.deletionTimestamp !== undefined && !done.has(metadata.uid ?? ''))) {
      const { name } = pod.metadata;
      done.set(uidOf(pod), name);
      await cluster.delete({ kind: 'Pod', apiVersion: 'v1', name, ...(pod.metadata.namespace === undefined ? {} : { namespace: pod.metadata.namespace }) }, { uid: uidOf(pod), gracePeriodSeconds: 0 });
      ctx.log(`gave up ${nameOf(pod)} on ${nodeOf(pod) ?? ''}`);
    }
  }
  throw ended(ctx);
}

/** Waits until no volume that the namespace claims is attached there any more; resolves to those that were. */
async function detached(cluster: KubernetesCluster, { namespace }: Input, nodes: ReadonlySet<string>, ctx: StepContext): Promise<string[]> {
  const { items } = await cluster.list({ kind: 'PersistentVolume', apiVersion: 'v1' });
  const claimed = new Set(items.filter((volume) => claimOf(volume) === (namespace ?? cluster.namespace)).map(({ metadata }) => metadata.name));
  const seen = new Seen();
  const were = new Set<string>();
  for await (const event of cluster.watch(attachments, {}, ctx.signal)) {
    if (!told(seen, event, ctx)) continue;
    const there = seen.objects.map(attachmentOf).filter(({ node, volume }) => nodes.has(node) && claimed.has(volume));
    for (const { volume, node } of there) {
      if (!were.has(volume)) ctx.log(`${volume} is attached to ${node}`);
      were.add(volume);
    }
    if (there.length === 0) return [...were];
  }
  throw ended(ctx);
}

function told(seen: Seen, event: WatchEvent, ctx: StepContext): boolean {
  if ('detail' in event) ctx.log(event.detail);
  return seen.take(event);
}

function ended(ctx: StepContext): unknown {
  return ctx.signal.aborted ? ctx.signal.reason : new StepError('k8s-error', 'the watch ended');
}

function ofDaemonSet({ metadata }: KubernetesObject): boolean {
  return metadata.ownerReferences?.some(({ kind, controller }) => kind === 'DaemonSet' && controller === true) === true;
}

function claimOf(volume: KubernetesObject): string | undefined {
  return (volume as { spec?: { claimRef?: { namespace?: string } } }).spec?.claimRef?.namespace;
}

function attachmentOf(attachment: KubernetesObject): { readonly node: string; readonly volume: string } {
  const { nodeName = '', source = {} } = (attachment as { spec?: { nodeName?: string; source?: { persistentVolumeName?: string } } }).spec ?? {};
  return { node: nodeName, volume: source.persistentVolumeName ?? '' };
}
