import { freePort } from '../../../../src/clients/provision/lib/free-port.js';
import { ownedBy, paths, type Pooler } from '../api/types.js';
import type { ClusterActor, Surroundings } from './cluster.js';
import { publishedAddress, serviceOf } from './objects.js';
import { ServiceProxy } from './proxy.js';

/** Poolers: each a Service of its own name. No PgBouncer is behind it: the proxy leads to the pods themselves. */
export class Poolers {
  readonly #open = new Map<string, Promise<ServiceProxy>>();

  constructor(private readonly clients: Pick<Surroundings, 'api' | 'cloud'>, private readonly actorOf: (namespace: string, cluster: string) => ClusterActor | undefined) {}

  seen(pooler: Pooler, deleted: boolean): void {
    const { uid } = pooler.metadata;
    if (deleted || pooler.metadata.deletionTimestamp !== undefined) {
      void this.#open.get(uid)?.then((proxy) => proxy.close());
      this.#open.delete(uid);
    } else if (!this.#open.has(uid)) {
      this.#open.set(uid, this.#start(pooler));
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#open.values()].map(async (proxy) => (await proxy).close()));
  }

  async #start(pooler: Pooler): Promise<ServiceProxy> {
    const { name, namespace } = pooler.metadata;
    const { cluster, type = 'rw', instances = 1 } = pooler.spec;
    const port = await freePort();
    const proxy = await ServiceProxy.open(port, () => this.actorOf(namespace, cluster.name)?.services.podPorts(type) ?? []);
    const services = paths.core(namespace, 'services');
    const { api, cloud } = this.clients;
    await api.create(services, serviceOf({ name, namespace, cluster: cluster.name, owner: ownedBy(pooler, 'Pooler') }, { 'cnpg.io/poolerName': name }, port));
    await cloud.merge(`${services}/${name}/status`, publishedAddress);
    await api.merge(`${paths.poolers(namespace, name)}/status`, { status: { instances } });
    return proxy;
  }
}
