import { setTimeout as pause } from 'node:timers/promises';
import type { V1Lease } from '@kubernetes/client-node';
import type { ApiClient } from '../api/client.js';
import { ownedBy, paths, type Cluster } from '../api/types.js';

/**
 * The Lease named after the Cluster: the primary holds it. After an abrupt loss nobody may be promoted before it has run out;
 * a primary that ends in good order gives it back.
 */
export class PrimaryLease {
  readonly #api: ApiClient;
  readonly #cluster: Cluster;
  readonly #seconds: number;
  #renewal: NodeJS.Timeout | undefined;
  #renewedAt = 0;
  #given = true;
  #transitions = 0;

  constructor(api: ApiClient, cluster: Cluster, seconds: number) {
    this.#api = api;
    this.#cluster = cluster;
    this.#seconds = seconds;
  }

  /** The holder is gone, and cannot say so. */
  lost(): void {
    clearInterval(this.#renewal);
  }

  async release(): Promise<void> {
    clearInterval(this.#renewal);
    this.#given = true;
    await this.#api.merge(this.#path, { spec: { holderIdentity: '', renewTime: microTime() } });
  }

  /** Waits until the lease may be taken. */
  async acquire(holder: string, signal: AbortSignal): Promise<void> {
    clearInterval(this.#renewal);
    const left = this.#given ? 0 : this.#renewedAt + this.#seconds * 1_000 - performance.now();
    if (left > 0) await pause(left, undefined, { signal });
    const { name, namespace } = this.#cluster.metadata;
    const spec = { holderIdentity: holder, leaseDurationSeconds: this.#seconds, acquireTime: microTime(), renewTime: microTime(), leaseTransitions: this.#transitions };
    this.#transitions += 1;
    await this.#api.create<V1Lease>(paths.leases(namespace), { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name, namespace, ownerReferences: ownedBy(this.#cluster, 'Cluster') }, spec });
    await this.#api.merge<V1Lease>(this.#path, { spec });
    this.#given = false;
    this.#renewedAt = performance.now();
    this.#renewal = setInterval(() => void this.#renew(), (this.#seconds * 1_000) / 3);
  }

  async #renew(): Promise<void> {
    const at = performance.now();
    await this.#api.merge(this.#path, { spec: { renewTime: microTime() } }).then(
      () => (this.#renewedAt = at),
      () => undefined,
    );
  }

  get #path(): string {
    return paths.leases(this.#cluster.metadata.namespace, this.#cluster.metadata.name);
  }
}

/** RFC 3339 with microseconds, as the API's MicroTime wants it. */
export function microTime(): string {
  const at = performance.timeOrigin + performance.now();
  return new Date(at).toISOString().replace('Z', `${String(Math.floor((at % 1) * 1_000)).padStart(3, '0')}Z`);
}
