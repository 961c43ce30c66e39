import type { KubernetesCluster, Resource } from '../../../clients/kubernetes/port.js';
import type { KubernetesDetails } from '../../../clients/kubernetes/details.js';
import type { Observation, WatchContext } from '../../../engine/define-watcher.js';
import { messageOf, StepError } from '../../../engine/errors.js';
import { kubernetesBoundary, namesObject, type KubernetesBoundary } from '../../../engine/guard/kubernetes.js';
import type { WorldConnection } from '../../../engine/world.js';
import { ignored, type AuditedPlace } from './watch-audit.js';
import { Owners } from './watch-owners.js';
import { isRemoval, WatchedPlace } from './watch-place.js';
import type { AuditTrail } from './watch-trail.js';

const turns = 3;

/** All of the boundary that lies in the cluster of one connection. */
export class WatchedCluster {
  readonly #cluster: KubernetesCluster;
  readonly #boundary: readonly KubernetesBoundary[];
  readonly #system: string;
  readonly #scope: Observation['scope'];
  #trail: AuditTrail | undefined;
  /** Changes of which the API says nobody: an audit log may explain them. */
  readonly #unexplained: Observation[] = [];
  #places: readonly WatchedPlace[] = [];

  constructor(readonly name: string, { role, details }: WorldConnection, private readonly kinds: readonly string[] | undefined, private readonly ctx: WatchContext) {
    const { context, uid } = details as unknown as KubernetesDetails;
    this.#cluster = ctx.ports.kubernetes.cluster(name);
    this.#boundary = kubernetesBoundary(ctx.boundary['kubernetes']).filter((entry) => entry.context === context && (entry.uid === undefined || entry.uid === uid));
    this.#system = `kubernetes:${name}`;
    this.#scope = role === 'production' ? 'elsewhere' : 'recovery-path';
  }

  get cluster(): KubernetesCluster {
    return this.#cluster;
  }

  /** What is watched here, for whoever reads the audit events of this cluster. */
  get audited(): AuditedPlace {
    return { system: this.#system, scope: this.#scope, namespaces: this.#namespaces(), isNamed: (resource, object) => this.#isNamed(resource, object) };
  }

  /** Plurals, without their groups, of the cluster-scoped kinds of the boundary. */
  get clusterScoped(): readonly string[] {
    return [...new Set(this.#entries().map((entry) => entry.split(/[/.]/)[0] ?? ''))];
  }

  /** `trail`: explains what the API says of nobody. */
  async begin(trail: AuditTrail | undefined, signal: AbortSignal): Promise<void> {
    this.#trail = trail;
    if (trail === undefined) this.ctx.unseen(`${this.name}: kubectl exec, attach and port-forward, and who deleted or scaled something: no audit source is named`);
    const { resources, unavailable } = await this.#cluster.resources();
    for (const group of unavailable) this.ctx.unseen(`kinds of the API group ${group}, which did not answer`);
    const owners = new Owners();
    const places = resources.filter((resource) => this.#isWatched(resource)).flatMap((resource) => this.#placesOf(resource, owners));
    const begun = await Promise.all(places.map(async ({ place, what }) => this.#begun(place, what, signal)));
    this.#places = begun.flat();
  }

  async compare(): Promise<number> {
    // What is seen to be gone may have gone after its owner was looked at: the owner is looked at again.
    for (let turn = 0; turn === 0 || (turn < turns && this.#places.some((place) => place.waitsForOwners)); turn += 1) for (const place of this.#places) await place.compare();
    for (const place of this.#places) place.settle();
    return this.#places.reduce((sum, { size }) => sum + size, 0);
  }

  /** After the trail has told what it holds. */
  tellUnexplained(): void {
    for (const observation of this.#unexplained.splice(0)) {
      if (this.#trail?.explains(this.#system, observation.object, isRemoval(observation.change)) !== true) this.ctx.observed(observation);
    }
  }

  async ended(): Promise<void> {
    await Promise.all(this.#places.map((place) => place.ended()));
  }

  /** A kind that the drill's role may not read is a hole; a kind of no namespaced object of ours is none. */
  async #begun(place: WatchedPlace, what: string, signal: AbortSignal): Promise<WatchedPlace[]> {
    try {
      await place.begin(signal);
      return [place];
    } catch (error) {
      if (!(error instanceof StepError) || signal.aborted) throw error;
      this.ctx.gap(`${what} cannot be watched: ${messageOf(error)}`);
      return [];
    }
  }

  #placesOf(resource: Resource, owners: Owners): { readonly place: WatchedPlace; readonly what: string }[] {
    const common = { cluster: this.#cluster, system: this.#system, scope: this.#scope, resource, owners };
    const place = (namespace: string | undefined, isMeant: (name: string) => boolean) => ({
      place: new WatchedPlace({ ...common, isMeant, ...(namespace === undefined ? {} : { namespace }) }, this.ctx, (observation) => this.#observed(observation)),
      what: `${resource.plural}${namespace === undefined ? '' : ` in ${namespace}`}`,
    });
    if (resource.namespaced) return this.#namespaces().map((namespace) => place(namespace, () => true));
    const qualified = resource.group === '' ? resource.plural : `${resource.plural}.${resource.group}`;
    return this.#entries().some((entry) => entry === qualified || entry.startsWith(`${qualified}/`)) ? [place(undefined, (name) => this.#isNamed(qualified, name))] : [];
  }

  #observed(observation: Observation): void {
    if (observation.actor === null && this.#trail !== undefined) this.#unexplained.push(observation);
    else this.ctx.observed(observation);
  }

  #isWatched({ plural, verbs }: Resource): boolean {
    return verbs.includes('list') && verbs.includes('watch') && !ignored.has(plural) && (this.kinds?.includes(plural) ?? true);
  }

  #isNamed(resource: string, name: string): boolean {
    return this.#entries().some((entry) => namesObject(entry, resource, name));
  }

  #entries(): readonly string[] {
    return this.#boundary.flatMap(({ cluster }) => cluster);
  }

  #namespaces(): string[] {
    return [...new Set(this.#boundary.flatMap(({ namespaces }) => namespaces))];
  }
}
