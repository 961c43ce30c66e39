import { freePort } from '../../../../src/clients/provision/lib/free-port.js';
import { ownedBy, paths } from '../api/types.js';
import type { ClusterActor } from './cluster.js';
import { publishedAddress, serviceOf, type InstanceRole } from './objects.js';
import { ServiceProxy } from './proxy.js';

export type ServiceKind = 'rw' | 'ro' | 'r';

const selectors: Readonly<Record<ServiceKind, Readonly<Record<string, string>>>> = {
  rw: { 'cnpg.io/instanceRole': 'primary' },
  ro: { 'cnpg.io/instanceRole': 'replica' },
  r: { 'cnpg.io/podRole': 'instance' },
};

/** The Services -rw, -ro and -r of a Cluster, each with the proxy that listens at its published address. */
export class ClusterServices {
  readonly ports = new Map<ServiceKind, number>();
  readonly #proxies: ServiceProxy[] = [];

  constructor(private readonly actor: ClusterActor) {}

  async open(): Promise<void> {
    if (this.ports.size > 0) return;
    const { cluster, name, around } = this.actor;
    for (const kind of ['rw', 'ro', 'r'] as const) {
      const port = await freePort();
      this.#proxies.push(await ServiceProxy.open(port, () => this.podPorts(kind)));
      const service = `${name}-${kind}`;
      const services = paths.core(cluster.metadata.namespace, 'services');
      await around.api.create(services, serviceOf({ name: service, namespace: cluster.metadata.namespace, cluster: name, owner: ownedBy(cluster, 'Cluster') }, { 'cnpg.io/cluster': name, ...selectors[kind] }, port));
      await around.cloud.merge(`${services}/${service}/status`, publishedAddress);
      this.ports.set(kind, port);
    }
  }

  /** Of the pods that a Service of that kind selects and that are ready. */
  podPorts(kind: ServiceKind): number[] {
    const role: InstanceRole | undefined = kind === 'rw' ? 'primary' : kind === 'ro' ? 'replica' : undefined;
    return [...this.actor.instances.values()].filter((instance) => instance.ready && (role === undefined || instance.role === role)).map(({ server }) => server.port);
  }

  async close(): Promise<void> {
    await Promise.all(this.#proxies.map((proxy) => proxy.close()));
  }
}
