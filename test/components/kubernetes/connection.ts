import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { World } from '../../../src/engine/world.js';
import { LiveWorld } from '../../../src/engine/world.js';
import { createGuard, type Guard } from '../../../src/engine/guard.js';
import type { KubernetesBoundary } from '../../../src/engine/guard/kubernetes.js';
import type { KubernetesDetails } from '../../../src/clients/kubernetes/details.js';
import type { Cluster } from './index.js';

type Role = 'production' | 'source' | 'target';

export interface ConnectionOptions {
  readonly namespace: string;
  readonly kubeconfig?: string;
  readonly role?: Role;
  readonly details?: Partial<KubernetesDetails>;
}

/** A world with the connection `k8s` to `cluster`. */
export function worldOf(cluster: Cluster, { namespace, kubeconfig = cluster.kubeconfig, role = 'target', details = {} }: ConnectionOptions): LiveWorld {
  const world = new LiveWorld();
  const all: KubernetesDetails = { kubeconfig: [kubeconfig], context: cluster.context, server: cluster.server, uid: cluster.uid, namespace, ...details };
  world.apply({ type: 'connection.provisioned', data: { connection: 'k8s', kind: 'kubernetes', role, provision: 'kubeconfig', details: { ...all } } });
  return world;
}

/** The guard of an environment whose boundary holds these clusters. */
export function guardOf(world: World, kubernetes: readonly KubernetesBoundary[]): Guard {
  const connections = [...world.connections].map(([name, { role }]) => ({ name, role, directories: [], programs: [] }));
  return createGuard({ hosts: [], directories: [], commands: [], kubernetes, forbidden: [], ownDirectories: [], protectedDirectories: [], runbookDir: '/', ownPrograms: [], path: '', connections: () => connections, endpoints: () => [] });
}

/** A copy of a kubeconfig in the cluster's folder, changed. */
export function changedKubeconfig(cluster: Cluster, name: string, change: (text: string) => string): string {
  const file = join(cluster.folder, `${name}.yaml`);
  writeFileSync(file, change(readFileSync(cluster.kubeconfig, 'utf8')), { mode: 0o600 });
  return file;
}
