import { GuardError, StepError } from '../../engine/errors.js';
import type { Collection, KubernetesCluster, KubernetesObject } from './port.js';

/** An object that bears a label. */
export interface Labelled {
  readonly object: string;
  readonly remedy: string;
}

/**
 * What bears the label in these places. What is on its way out is waited for, until `signal` is aborted. Kinds that the caller may not list
 * or that lie outside the boundary are left out. Throws StepError when the cluster cannot be asked.
 */
export async function labelledObjects(cluster: KubernetesCluster, places: readonly Collection[], label: string, signal: AbortSignal): Promise<Labelled[]> {
  const unique = new Map(places.map((place) => [JSON.stringify([place.kind, place.namespace ?? cluster.namespace]), place]));
  const found = await Promise.all([...unique.values()].map((place) => staying(cluster, place, label, signal)));
  return found.flat().map(({ kind, metadata: { name, namespace } }) => ({
    object: `${kind.toLowerCase()} ${namespace === undefined ? '' : `${namespace}/`}${name}`,
    remedy: `kubectl --context ${cluster.context}${namespace === undefined ? '' : ` -n ${namespace}`} delete ${kind.toLowerCase()} ${name}`,
  }));
}

async function staying(cluster: KubernetesCluster, place: Collection, labelSelector: string, signal: AbortSignal): Promise<readonly KubernetesObject[]> {
  const options = { labelSelector, metadataOnly: true };
  const there = new Map<string, KubernetesObject>();
  const take = (objects: readonly KubernetesObject[]) => objects.forEach((object) => there.set(object.metadata.name, object));
  const someLeave = () => [...there.values()].some(({ metadata }) => metadata.deletionTimestamp !== undefined);
  try {
    const { items, resourceVersion } = await cluster.list(place, options);
    take(items);
    if (!someLeave()) return items;
    for await (const event of cluster.watch(place, { ...options, from: resourceVersion }, signal)) {
      if (event.type === 'listed') {
        there.clear();
        take(event.items);
      } else if (event.type === 'added' || event.type === 'modified') take([event.object]);
      else if (event.type === 'deleted') there.delete(event.object.metadata.name);
      if (!someLeave()) break;
    }
  } catch (error) {
    if (!(error instanceof GuardError) && !(error instanceof StepError && (error.code === 'k8s-forbidden' || error.code === 'k8s-no-such-kind'))) throw error;
  }
  return [...there.values()];
}
