import type { V1OwnerReference } from '@kubernetes/client-node';
import type { Body } from '../api/client.js';
import { ownedBy, type Cluster } from '../api/types.js';

export type InstanceRole = 'primary' | 'replica';

function metadata(cluster: Cluster, name: string, labels: Readonly<Record<string, string>> = {}): Body {
  return { name, namespace: cluster.metadata.namespace, labels: { 'cnpg.io/cluster': cluster.metadata.name, ...labels }, ownerReferences: ownedBy(cluster, 'Cluster') };
}

/** Of the version that npm brings, unless the Cluster names one. */
export function imageOf(cluster: Cluster): string {
  return cluster.spec.imageName ?? 'ghcr.io/cloudnative-pg/postgresql:18.4';
}

export function podOf(cluster: Cluster, name: string, role: InstanceRole, node: string): Body {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: metadata(cluster, name, { 'cnpg.io/instanceName': name, 'cnpg.io/instanceRole': role, role, 'cnpg.io/podRole': 'instance' }),
    spec: {
      nodeName: node,
      terminationGracePeriodSeconds: 1800,
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      hostname: name,
      containers: [{ name: 'postgres', image: imageOf(cluster), ports: [{ name: 'postgresql', containerPort: 5432, protocol: 'TCP' }, { name: 'status', containerPort: 8000, protocol: 'TCP' }] }],
    },
  };
}

export interface ContainerFacts {
  readonly ready: boolean;
  readonly restarts: number;
  readonly startedAt: string;
  /** Why it waits or ended, where it does not run. */
  readonly waiting?: { readonly reason: string; readonly message: string };
}

/** What a kubelet says of a pod. Its address is of a documentation network: Services lead to the server itself. */
export function podStatusOf(image: string, address: string, facts: ContainerFacts): Body {
  const { ready, restarts, startedAt, waiting } = facts;
  const status = ready ? 'True' : 'False';
  const at = new Date().toISOString();
  const condition = (type: string, value: string): object => ({ type, status: value, lastTransitionTime: at });
  return {
    status: {
      phase: 'Running',
      podIP: address,
      podIPs: [{ ip: address }],
      hostIP: '192.0.2.1',
      startTime: startedAt,
      conditions: [condition('Initialized', 'True'), condition('Ready', status), condition('ContainersReady', status), condition('PodScheduled', 'True')],
      containerStatuses: [{ name: 'postgres', image, imageID: '', ready, started: waiting === undefined, restartCount: restarts, state: waiting === undefined ? { running: { startedAt } } : { waiting } }],
    },
  };
}

/** The Service is of the type that publishes an address: 127.0.0.1 and the port, where the service proxy listens. */
export function serviceOf(of: { readonly name: string; readonly namespace: string; readonly cluster: string; readonly owner: V1OwnerReference[] }, selector: Readonly<Record<string, string>>, port: number): Body {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: of.name, namespace: of.namespace, labels: { 'cnpg.io/cluster': of.cluster }, ownerReferences: of.owner },
    spec: { type: 'LoadBalancer', selector, ports: [{ name: 'postgres', port, targetPort: 5432, protocol: 'TCP' }] },
  };
}

export const publishedAddress = { status: { loadBalancer: { ingress: [{ ip: '127.0.0.1' }] } } };

export interface Credentials {
  readonly username: string;
  readonly password: string;
  readonly dbname: string;
}

export function secretOf(cluster: Cluster, suffix: 'app' | 'superuser', { username, password, dbname }: Credentials, port: number): Body {
  const host = `${cluster.metadata.name}-rw`;
  const uri = `postgresql://${username}:${password}@${host}.${cluster.metadata.namespace}:${port}/${dbname}`;
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'kubernetes.io/basic-auth',
    metadata: metadata(cluster, `${cluster.metadata.name}-${suffix}`, { 'cnpg.io/reload': 'true', 'cnpg.io/userType': suffix }),
    stringData: { username, user: username, password, dbname, host, port: String(port), uri, pgpass: `${host}:${port}:${dbname}:${username}:${password}\n` },
  };
}
