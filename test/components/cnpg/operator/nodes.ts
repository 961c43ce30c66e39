import type { V1Node, V1Pod } from '@kubernetes/client-node';
import type { ApiClient } from '../api/client.js';
import { paths } from '../api/types.js';

const beatMs = 2_000;
const zones = ['zone-a', 'zone-b', 'zone-c'] as const;

/**
 * The nodes that the instances' pods run on, one for each zone, and what their kubelets do: say that they live, run pods that bear
 * their name, and let pods go that are deleted. A taint keeps other pods away.
 */
export class Nodes {
  readonly names: readonly string[];
  #beat: NodeJS.Timeout | undefined;

  constructor(readonly kubelets: ApiClient, prefix: string) {
    this.names = zones.map((zone) => `${prefix}-${zone}`);
  }

  async start(): Promise<void> {
    for (const [i, name] of this.names.entries()) {
      const labels = { 'kubernetes.io/hostname': name, 'kubernetes.io/os': 'linux', 'topology.kubernetes.io/zone': zones[i] };
      await this.kubelets.create(paths.nodes(), { apiVersion: 'v1', kind: 'Node', metadata: { name, labels }, spec: { taints: [{ key: 'node.cnpg.io/databases', effect: 'NoSchedule' }] } });
    }
    await this.#sayAlive();
    this.#beat = setInterval(() => void this.#sayAlive().catch(() => undefined), beatMs);
  }

  /** Serial numbers of instances go round the zones. */
  nodeOf(serial: number): string {
    return this.names[(serial - 1) % this.names.length] ?? '';
  }

  runs(pod: V1Pod): boolean {
    return this.names.includes(pod.spec?.nodeName ?? '');
  }

  async stop(): Promise<void> {
    clearInterval(this.#beat);
    for (const name of this.names) {
      await this.kubelets.remove(paths.leases('kube-node-lease', name)).catch(() => undefined);
      await this.kubelets.remove(paths.nodes(name)).catch(() => undefined);
    }
  }

  async #sayAlive(): Promise<void> {
    const at = new Date().toISOString();
    const condition = (type: string, status: string): object => ({ type, status, reason: 'KubeletReady', message: '', lastHeartbeatTime: at, lastTransitionTime: this.#since });
    for (const name of this.names) {
      await this.kubelets.merge<V1Node>(`${paths.nodes(name)}/status`, {
        status: {
          capacity: { cpu: '4', memory: '8Gi', pods: '110' },
          allocatable: { cpu: '4', memory: '8Gi', pods: '110' },
          conditions: [condition('MemoryPressure', 'False'), condition('DiskPressure', 'False'), condition('PIDPressure', 'False'), condition('Ready', 'True')],
          nodeInfo: { kubeletVersion: 'v1.30.0', architecture: 'amd64', operatingSystem: 'linux', bootID: '', containerRuntimeVersion: '', kernelVersion: '', kubeProxyVersion: '', machineID: '', osImage: '', systemUUID: '' },
        },
      });
    }
  }

  readonly #since = new Date().toISOString();
}
