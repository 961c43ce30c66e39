import type { KubernetesObject } from '../../../clients/kubernetes/port.js';

/**
 * Each kind is watched by a stream of its own: an owner's end, or that it wants fewer, may be told after what it did to what it owns. What
 * somebody deletes so shortly before it would have gone anyway is taken for its owner's doing.
 */
const betweenStreamsMs = 10_000;

interface Wanted {
  readonly at: number;
  readonly replicas: number;
}

/** A deletion of which the API does not say who asked for it, as far as it can tell by owners. */
export interface Deletion {
  readonly object: KubernetesObject;
  /** ms since the epoch. */
  readonly at: number;
  /** Of each owner: how many others of the kind stay. */
  readonly staying: ReadonlyMap<string, number>;
}

/** Every object of a cluster that is watched, by uid: controllers are found by what they own. */
export class Owners {
  readonly objects = new Map<string, KubernetesObject>();
  readonly #leaving = new Map<string, number>();
  readonly #wanted = new Map<string, Wanted[]>();

  remember(object: KubernetesObject, at: number): void {
    const uid = object.metadata.uid ?? '';
    this.objects.set(uid, object);
    if (object.metadata.deletionTimestamp !== undefined && !this.#leaving.has(uid)) this.#leaving.set(uid, at);
    const replicas = replicasOf(object);
    const known = this.#wanted.get(uid) ?? [];
    if (replicas !== undefined && known.at(-1)?.replicas !== replicas) this.#wanted.set(uid, [...known, { at, replicas }]);
  }

  forget(uid: string, at: number): void {
    this.objects.delete(uid);
    if (!this.#leaving.has(uid)) this.#leaving.set(uid, at);
  }

  deletion(object: KubernetesObject, at: number): Deletion {
    const others = [...this.objects.values()].filter(({ kind, metadata }) => kind === object.kind && metadata.deletionTimestamp === undefined && metadata.uid !== object.metadata.uid);
    return { object, at, staying: new Map((object.metadata.ownerReferences ?? []).map(({ uid }) => [uid, others.filter(({ metadata }) => metadata.ownerReferences?.some((each) => each.uid === uid) === true).length])) };
  }

  /** Who did it, by what is known now: null while no owner explains it. */
  explain({ object, at, staying }: Deletion): string | null {
    for (const { uid, kind, name } of object.metadata.ownerReferences ?? []) {
      const left = this.#leaving.get(uid);
      const wanted = this.#wanted.get(uid) ?? [];
      // An owner that was gone before the watch began is not known at all.
      if ((left !== undefined && left <= at + betweenStreamsMs) || (left === undefined && !this.objects.has(uid))) return `garbage collector, after ${kind.toLowerCase()} ${name}`;
      const then = wanted.filter((each, i) => each.at <= at + betweenStreamsMs && (wanted[i + 1]?.at ?? Infinity) >= at);
      if (then.some(({ replicas }) => (staying.get(uid) ?? 0) >= replicas)) return `controller of ${kind.toLowerCase()} ${name}`;
    }
    return null;
  }
}

function replicasOf(owner: KubernetesObject): number | undefined {
  const { spec } = owner;
  return typeof spec === 'object' && spec !== null && 'replicas' in spec && typeof spec.replicas === 'number' ? spec.replicas : undefined;
}
