import type { Collection, KubernetesCluster, KubernetesObject, Resource } from '../../../clients/kubernetes/port.js';
import type { Observation, WatchContext } from '../../../engine/define-watcher.js';
import { messageOf } from '../../../engine/errors.js';
import { runLabel, runMark } from '../../../engine/mark.js';
import { planned } from './declare.js';
import { writersBetween } from './watch-managers.js';
import { isAlive, nodeNameOf, taintsFollow, taintThatEvicts } from './watch-nodes.js';
import type { Deletion, Owners } from './watch-owners.js';
import { changedPaths, inWordsOf } from './watch-paths.js';
import { controllerThatDetaches } from './watch-volumes.js';

/** Within this time after a step its own change may still be on its way to us. */
const deliveryMs = 1_000;
const ourManager = 'muster';
const removals = { marked: 'marked for deletion', cut: 'deleted at once', gone: 'deleted' } as const;

export interface PlaceOptions {
  readonly cluster: KubernetesCluster;
  readonly system: string;
  readonly scope: Observation['scope'];
  readonly resource: Resource;
  readonly namespace?: string;
  readonly isMeant: (name: string) => boolean;
  readonly owners: Owners;
}

/** Watches one kind in one namespace, or one cluster-scoped kind: a list, and from its version on all that happens. */
export class WatchedPlace {
  readonly #uids = new Set<string>();
  readonly #leaving = new Set<string>();
  readonly #unexplained: { readonly deletion: Deletion; readonly change: string; readonly at: string; readonly since: string | undefined }[] = [];
  #seenAt: string;
  #ended: Promise<void> = Promise.resolve();

  constructor(private readonly place: PlaceOptions, private readonly ctx: WatchContext, private readonly tell: (observation: Observation) => void) {
    this.#seenAt = ctx.clock.now().at;
  }

  get size(): number {
    return this.#uids.size;
  }

  /** Resolves when the baseline is taken; what comes after is followed until `signal` is aborted. */
  begin(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      let begun = false;
      this.#ended = this.#follow(signal, () => {
        begun = true;
        resolve();
      }).catch((error: unknown) => {
        if (!begun) reject(error);
        else if (!signal.aborted) this.ctx.gap(`${this.#where()} could not be watched any more: ${messageOf(error)}`);
      });
    });
  }

  /** After the signal. */
  ended(): Promise<void> {
    return this.#ended;
  }

  /** Compares with what is there now: what a watch has not told is found. */
  async compare(): Promise<void> {
    const { cluster, resource } = this.place;
    this.#listed((await cluster.list(this.#collection(), { managedFields: true, metadataOnly: isSecret(resource) })).items);
  }

  async #follow(signal: AbortSignal, begun: () => void): Promise<void> {
    const { cluster, resource } = this.place;
    let first = true;
    for await (const event of cluster.watch(this.#collection(), { managedFields: true, metadataOnly: isSecret(resource) }, signal)) {
      if (event.type === 'listed') {
        if (first) for (const object of event.items) this.#remember(object);
        else this.#listed(event.items);
        first = false;
        begun();
      } else if (event.type === 'gap') this.ctx.unseen(`${this.#where()}: ${event.detail}; what was there before and after was compared, what came and went in between was not seen`);
      else if (event.type === 'added' || event.type === 'modified') this.#changed(event.object);
      else if (event.type === 'deleted') this.#deleted(event.object);
      else this.ctx.log(`${this.#where()}: ${event.type}`);
      this.#seenAt = this.ctx.clock.now().at;
    }
  }

  /** A list after the first: differences are changes of which nobody knows when they were made. */
  #listed(items: readonly KubernetesObject[]): void {
    for (const object of items) this.#changed(object, this.#seenAt);
    const there = new Set(items.map(({ metadata }) => metadata.uid ?? ''));
    for (const uid of this.#uids) {
      const gone = this.place.owners.objects.get(uid);
      if (!there.has(uid) && gone !== undefined) this.#deleted(gone, this.#seenAt);
    }
  }

  #changed(object: KubernetesObject, since?: string): void {
    const uid = object.metadata.uid ?? '';
    const before = this.place.owners.objects.get(uid);
    if (!this.place.isMeant(object.metadata.name) || before?.metadata.resourceVersion === object.metadata.resourceVersion) return;
    this.#remember(object);
    if (object.metadata.deletionTimestamp !== undefined && before?.metadata.deletionTimestamp === undefined) {
      this.#leaving.add(uid);
      this.#leaves(object, removals.marked, since);
      return;
    }
    const paths = before === undefined ? [] : changedPaths(before, object);
    if (before?.metadata.deletionTimestamp !== undefined && paths.length > 0 && paths.every((path) => path.startsWith('metadata.deletion'))) return this.#givenUp(object, since);
    const change = before === undefined ? 'created' : isSecret(this.place.resource) && paths.length === 0 ? 'changed data' : inWordsOf(paths);
    const writers = writersBetween(before, object, paths);
    if (writers.length === 0) this.#unsigned(object, before, change, since);
    for (const writer of writers) this.#observe(object, writer, change, this.#isOurs(writer, object, before) ? 'ours' : 'another', since);
  }

  /** A binding, which is how a scheduler gives a pod its node, is signed by no manager, and nothing else can set that field. Nor is what is taken away. */
  #unsigned(object: KubernetesObject, before: KubernetesObject | undefined, change: string, since: string | undefined): void {
    const isBound = before !== undefined && /^changed spec\.nodeName(, status)?$/.test(change);
    const actor = isBound ? 'scheduler' : before !== undefined && change === 'changed spec.taints' && taintsFollow(before, object) ? 'node controller' : null;
    this.#observe(object, actor, change, actor === null ? 'none' : 'another', since);
  }

  #deleted(object: KubernetesObject, since?: string): void {
    const uid = object.metadata.uid ?? '';
    if (!this.#uids.delete(uid)) return;
    if (!this.#leaving.delete(uid)) this.#leaves(object, removals.gone, since);
    this.place.owners.forget(uid, Date.parse(this.ctx.clock.now().at));
  }

  /** The rest of a pod's time to end was cut: its kubelet does so once it has ended, and whoever knows that the kubelet is dead. */
  #givenUp(object: KubernetesObject, since: string | undefined): void {
    const node = nodeNameOf(object);
    const kubelet = node !== undefined && isAlive(this.#nodeOf(object)) ? `kubelet of ${node}` : null;
    this.#observe(object, kubelet, removals.cut, kubelet === null ? 'none' : 'another', since);
  }

  /** undefined where nodes are not watched. */
  #nodeOf(pod: KubernetesObject): KubernetesObject | undefined {
    const name = nodeNameOf(pod);
    return name === undefined ? undefined : [...this.place.owners.objects.values()].find(({ kind, metadata }) => kind === 'Node' && metadata.name === name);
  }

  /** The API says of no deletion who asked for it. Where an owner explains it, its controller did; what owners may still explain is told at the end. */
  #leaves(object: KubernetesObject, change: string, since: string | undefined): void {
    const { owners } = this.place;
    const at = this.ctx.clock.now().at;
    const deletion = owners.deletion(object, Date.parse(at));
    const controller = taintThatEvicts(object, this.#nodeOf(object)) ?? controllerThatDetaches(object, [...owners.objects.values()]) ?? owners.explain(deletion);
    if (controller === null && deletion.staying.size > 0) this.#unexplained.push({ deletion, change, at, since });
    else this.#observe(object, controller, change, controller === null ? 'none' : 'another', since);
  }

  /** Has it seen deletions that an owner may explain whose end was not told yet? */
  get waitsForOwners(): boolean {
    return this.#unexplained.some(({ deletion }) => this.place.owners.explain(deletion) === null);
  }

  /** Tells of deletions for which no owner has come to answer. After every place was compared. */
  settle(): void {
    for (const { deletion, change, at, since } of this.#unexplained.splice(0)) {
      const controller = this.place.owners.explain(deletion);
      this.#observe(deletion.object, controller, change, controller === null ? 'none' : 'another', since, at);
    }
  }

  /** Created objects bear the run's label; what was there before can only be told by the manager. */
  #isOurs(writer: string, object: KubernetesObject, before: KubernetesObject | undefined): boolean {
    if (writer !== ourManager) return false;
    const run = object.metadata.labels?.[runLabel];
    return before !== undefined || run === undefined || run === runMark(this.ctx.runId);
  }

  #observe({ apiVersion, kind, metadata: { name, namespace } }: KubernetesObject, actor: string | null, change: string, proof: Observation['proof'], since: string | undefined, at = this.ctx.clock.now().at): void {
    const { system, scope } = this.place;
    this.tell({ system, object: planned({ apiVersion, kind, namespace, name }), actor, change, at, since: since ?? new Date(Date.parse(at) - deliveryMs).toISOString(), proof, scope });
  }

  #remember(object: KubernetesObject): void {
    if (!this.place.isMeant(object.metadata.name)) return;
    this.#uids.add(object.metadata.uid ?? '');
    this.place.owners.remember(object, Date.parse(this.ctx.clock.now().at));
  }

  #collection(): Collection {
    const { resource, namespace } = this.place;
    return { kind: resource.kind, apiVersion: resource.apiVersion, ...(namespace === undefined ? {} : { namespace }) };
  }

  #where(): string {
    const { resource, namespace } = this.place;
    return `${resource.plural}${resource.group === '' ? '' : `.${resource.group}`}${namespace === undefined ? '' : ` in ${namespace}`}`;
  }
}

/** Is it a deletion that this says of an object? */
export function isRemoval(change: string): boolean {
  return Object.values<string>(removals).includes(change);
}

/** What is in a secret is not read. */
function isSecret({ group, plural }: Resource): boolean {
  return group === '' && plural === 'secrets';
}
