import { isDeepStrictEqual } from 'node:util';
import type { ApiClient } from '../api/client.js';
import { paths, phases, type Cluster, type ClusterStatus, type Condition } from '../api/types.js';

/** Writes what changed of a Cluster's status. */
export class StatusWriter {
  #current: ClusterStatus = {};
  readonly #api: ApiClient;
  readonly #path: string;

  constructor(api: ApiClient, cluster: Cluster) {
    this.#api = api;
    this.#path = `${paths.clusters(cluster.metadata.namespace, cluster.metadata.name)}/status`;
  }

  get current(): ClusterStatus {
    return this.#current;
  }

  /** Others write it too: a switchover is asked for here. */
  seen(cluster: Cluster): void {
    this.#current = cluster.status ?? {};
  }

  async set(patch: ClusterStatus): Promise<void> {
    const changed = Object.entries(patch).filter(([field, value]) => !isDeepStrictEqual(this.#current[field], value));
    if (changed.length === 0) return;
    const written = await this.#api.merge<Cluster>(this.#path, { status: Object.fromEntries(changed.map(([field, value]) => [field, withRemovals(this.#current[field], value)])) });
    this.#current = written.status ?? {};
  }

  /** `Ready` is exactly that the phase is the healthy one. */
  async phase(phase: string, phaseReason: string, more: ClusterStatus = {}): Promise<void> {
    const healthy = phase === phases.healthy;
    const ready = { type: 'Ready', status: healthy ? 'True' : 'False', reason: healthy ? 'ClusterIsReady' : 'ClusterIsNotReady', message: healthy ? 'Cluster is Ready' : 'Cluster Is Not Ready' } as const;
    await this.set({ ...more, phase, phaseReason, conditions: this.#with(ready) });
  }

  async condition(condition: Omit<Condition, 'lastTransitionTime'>): Promise<void> {
    await this.set({ conditions: this.#with(condition) });
  }

  #with(condition: Omit<Condition, 'lastTransitionTime'>): readonly Condition[] {
    const conditions = this.#current.conditions ?? [];
    const before = conditions.find(({ type }) => type === condition.type);
    const lastTransitionTime = before?.status === condition.status ? before.lastTransitionTime : new Date().toISOString().replace(/\.\d+Z/, 'Z');
    const now = { ...condition, lastTransitionTime };
    return before === undefined ? [...conditions, now] : conditions.map((each) => (each === before ? now : each));
  }
}

/** A merge patch keeps the members of an object that it does not name. */
function withRemovals(before: unknown, after: unknown): unknown {
  if (typeof before !== 'object' || before === null || typeof after !== 'object' || after === null || Array.isArray(after)) return after;
  const gone = Object.keys(before).filter((key) => !(key in after));
  return { ...after, ...Object.fromEntries(gone.map((key) => [key, null])) };
}
