import type { Collection, KubernetesCluster, KubernetesObject, ListOptions } from '../../../clients/kubernetes/port.js';

/** Watches until no object of the collection matches. Rejects with the signal's reason; `left` says what there is at any time. */
export async function untilNone(cluster: Pick<KubernetesCluster, 'watch'>, collection: Collection, options: ListOptions, matches: (object: KubernetesObject) => boolean, signal: AbortSignal, left: (names: readonly string[]) => void): Promise<void> {
  const there = new Map<string, string>();
  const note = (object: KubernetesObject, gone: boolean): void => {
    const key = object.metadata.uid ?? object.metadata.name;
    if (!gone && matches(object)) there.set(key, object.metadata.name);
    else there.delete(key);
  };
  for await (const event of cluster.watch(collection, options, signal)) {
    if (event.type === 'listed') {
      there.clear();
      for (const object of event.items) note(object, false);
    } else if (event.type === 'added' || event.type === 'modified' || event.type === 'deleted') note(event.object, event.type === 'deleted');
    else continue;
    left([...there.values()]);
    if (there.size === 0) return;
  }
  signal.throwIfAborted();
  throw new Error(`the watch of ${collection.kind} ended by itself`);
}

/** `work` with a time of its own; `late` gives the error when that is over. */
export async function within<T>(ms: number, signal: AbortSignal, late: () => Error, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const time = new AbortController();
  const timer = setTimeout(() => time.abort(late()), ms);
  try {
    return await work(AbortSignal.any([signal, time.signal]));
  } catch (error) {
    signal.throwIfAborted();
    throw time.signal.aborted ? time.signal.reason : error;
  } finally {
    clearTimeout(timer);
  }
}
