import type { KubernetesCluster, KubernetesObject, Reference } from '../../../clients/kubernetes/port.js';
import { StepError } from '../../../engine/errors.js';
import { nameOf } from './objects.js';

interface Workload {
  readonly spec?: { readonly replicas?: number };
  readonly status?: { readonly replicas?: number; readonly readyReplicas?: number; readonly updatedReplicas?: number; readonly observedGeneration?: number };
}

/**
 * Waits, by watch, until that many replicas are ready or, for none, all pods are gone. Throws StepError `k8s-scaled-by-another` when another
 * number is asked for meanwhile, with the managers of the field.
 */
export async function untilScaled(cluster: KubernetesCluster, reference: Reference, uid: string, replicas: number, signal: AbortSignal): Promise<void> {
  let asked: number | undefined;
  const done = await cluster.until(
    reference,
    (object) => {
      if (object?.metadata.uid !== uid) throw new StepError('k8s-not-found', `${reference.kind} ${reference.name} was deleted or replaced while it was scaled`);
      asked = (object as Workload).spec?.replicas;
      if (asked !== undefined && asked !== replicas) return { object, is: false };
      return isScaled(object, replicas) ? { object, is: true } : undefined;
    },
    signal,
  );
  if (!done.is) throw await scaledByAnother(cluster, reference, done.object, asked, replicas);
  if (replicas === 0) await untilNoPods(cluster, reference, uid, signal);
}

function isScaled(object: KubernetesObject, replicas: number): boolean {
  const { status = {} } = object as Workload;
  if (status.observedGeneration !== undefined && status.observedGeneration < (object.metadata.generation ?? 0)) return false;
  return (status.replicas ?? 0) === replicas && (status.readyReplicas ?? 0) === replicas;
}

/** Pods that still end hold volumes. Somebody who scales up meanwhile is noticed too. */
async function untilNoPods(cluster: KubernetesCluster, reference: Reference, uid: string, signal: AbortSignal): Promise<void> {
  const { status } = (await cluster.get(reference, { subresource: 'scale' })) as { status?: { selector?: string } };
  const labelSelector = status?.selector;
  if (labelSelector === undefined || labelSelector === '') return;
  const pods = new Set<string>();
  const stop = new AbortController();
  const both = AbortSignal.any([signal, stop.signal]);
  const collection = { kind: 'Pod', apiVersion: 'v1', ...(reference.namespace === undefined ? {} : { namespace: reference.namespace }) };
  const scaled = cluster.until(reference, (object) => (object?.metadata.uid === uid && ((object as Workload).spec?.replicas ?? 0) === 0 ? undefined : { object }), both);
  const gone = (async () => {
    for await (const event of cluster.watch(collection, { labelSelector, metadataOnly: true }, both)) {
      if (event.type === 'listed') {
        pods.clear();
        for (const { metadata } of event.items) pods.add(metadata.name);
      } else if (event.type === 'added' || event.type === 'modified') pods.add(event.object.metadata.name);
      else if (event.type === 'deleted') pods.delete(event.object.metadata.name);
      else continue;
      if (pods.size === 0) return undefined;
    }
    both.throwIfAborted();
    return undefined;
  })();
  try {
    const first = await Promise.race([scaled, gone]);
    if (first !== undefined) throw await scaledByAnother(cluster, reference, first.object, (first.object as Workload | undefined)?.spec?.replicas, 0);
  } finally {
    stop.abort();
    await Promise.allSettled([scaled, gone]);
  }
}

async function scaledByAnother(cluster: KubernetesCluster, reference: Reference, object: KubernetesObject | undefined, asked: number | undefined, wanted: number): Promise<StepError> {
  if (object === undefined) return new StepError('k8s-not-found', `${reference.kind} ${reference.name} was deleted while it was scaled`);
  const now = await cluster.find(reference, { managedFields: true });
  const managers = (now?.metadata.managedFields ?? []).filter(({ fieldsV1 }) => fieldsV1?.['f:spec']?.['f:replicas'] !== undefined).map(({ manager }) => manager ?? '?');
  return new StepError('k8s-scaled-by-another', `${nameOf(object)} was scaled to ${asked ?? '?'} by somebody else while the drill asked for ${wanted}${managers.length === 0 ? '' : ` (field managers of its replicas: ${managers.join(', ')})`}`, {
    hint: 'An autoscaler or a GitOps controller that undoes the drill must be paused by a step before.',
  });
}
