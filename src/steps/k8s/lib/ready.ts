import type { KubernetesObject, WatchEvent } from '../../../clients/kubernetes/port.js';

interface PodFields {
  readonly spec?: { readonly nodeName?: string };
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string; readonly lastTransitionTime?: string }[] };
}

/** Since when it takes traffic, as the pod says it; undefined while it does not, also while it ends. */
export function readySince(pod: KubernetesObject): string | undefined {
  if (pod.metadata.deletionTimestamp !== undefined) return undefined;
  const ready = (pod as PodFields).status?.conditions?.find(({ type }) => type === 'Ready');
  return ready?.status === 'True' ? (ready.lastTransitionTime ?? '') : undefined;
}

/** The node that it was placed on. */
export function nodeOf(pod: KubernetesObject): string | undefined {
  return (pod as PodFields).spec?.nodeName;
}

/** Objects by uid, as a watch tells of them. */
export class Seen {
  readonly #objects = new Map<string, KubernetesObject>();

  /** False when the event says nothing about objects. */
  take(event: WatchEvent): boolean {
    switch (event.type) {
      case 'listed':
        this.#objects.clear();
        for (const object of event.items) this.#objects.set(object.metadata.uid ?? '', object);
        return true;
      case 'added':
      case 'modified':
        this.#objects.set(event.object.metadata.uid ?? '', event.object);
        return true;
      case 'deleted':
        this.#objects.delete(event.object.metadata.uid ?? '');
        return true;
      default:
        return false;
    }
  }

  get objects(): readonly KubernetesObject[] {
    return [...this.#objects.values()];
  }
}
