import type { KubernetesCluster, Reference } from '../../../clients/kubernetes/port.js';

/** Waits, by watch, until the object with that uid is gone; another one that bears its name does not count. */
export async function untilGone(cluster: KubernetesCluster, reference: Reference, uid: string, signal: AbortSignal): Promise<void> {
  await cluster.until(reference, (object) => (object?.metadata.uid === uid ? undefined : true), signal);
}
