import type { V1ObjectMeta, V1OwnerReference } from '@kubernetes/client-node';

export const group = 'postgresql.cnpg.io';
export const barmanGroup = 'barmancloud.cnpg.io';
export const pluginName = 'barman-cloud.cloudnative-pg.io';
export const pendingPrimary = 'pending';

/** Phases as the real operator words them. */
export const phases = {
  setup: 'Setting up primary',
  replica: 'Creating a new replica',
  healthy: 'Cluster in healthy state',
  failover: 'Failing over',
  switchover: 'Switchover in progress',
  waiting: 'Waiting for the instances to become active',
  unrecoverable: 'Cluster is in an unrecoverable state, needs manual intervention',
} as const;

export interface Condition {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
  readonly lastTransitionTime: string;
}

export interface Plugin {
  readonly name: string;
  readonly enabled?: boolean;
  readonly isWALArchiver?: boolean;
  readonly parameters?: Readonly<Record<string, string>>;
}

/** The in-tree form and an ObjectStore's spec.configuration are alike. */
export interface BarmanStore {
  readonly destinationPath: string;
  readonly endpointURL?: string;
  readonly serverName?: string;
}

export interface RecoveryTarget {
  readonly backupID?: string;
  readonly targetTLI?: string;
  readonly targetXID?: string;
  readonly targetName?: string;
  readonly targetLSN?: string;
  readonly targetTime?: string;
  readonly targetImmediate?: boolean;
  readonly exclusive?: boolean;
}

export interface ClusterSpec {
  readonly instances: number;
  readonly imageName?: string;
  readonly enableSuperuserAccess?: boolean;
  readonly postgresql?: {
    readonly parameters?: Readonly<Record<string, string>>;
    readonly synchronous?: { readonly method: 'any' | 'first'; readonly number: number; readonly dataDurability?: 'required' | 'preferred' };
  };
  readonly bootstrap?: {
    readonly initdb?: { readonly database?: string; readonly owner?: string };
    readonly recovery?: { readonly source?: string; readonly backup?: { readonly name: string }; readonly database?: string; readonly owner?: string; readonly recoveryTarget?: RecoveryTarget };
  };
  readonly externalClusters?: readonly { readonly name: string; readonly plugin?: Plugin; readonly barmanObjectStore?: BarmanStore }[];
  readonly plugins?: readonly Plugin[];
  readonly backup?: { readonly barmanObjectStore?: BarmanStore };
}

export interface ClusterStatus {
  readonly phase?: string;
  readonly phaseReason?: string;
  readonly currentPrimary?: string;
  readonly targetPrimary?: string;
  readonly conditions?: readonly Condition[];
  readonly [field: string]: unknown;
}

export interface Cluster {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: V1ObjectMeta & { readonly name: string; readonly namespace: string; readonly uid: string };
  readonly spec: ClusterSpec;
  readonly status?: ClusterStatus;
}

export interface Backup {
  readonly metadata: V1ObjectMeta & { readonly name: string; readonly namespace: string; readonly uid: string };
  readonly spec: { readonly cluster: { readonly name: string }; readonly method?: string; readonly pluginConfiguration?: Plugin };
  readonly status?: { readonly phase?: string; readonly backupId?: string; readonly serverName?: string; readonly destinationPath?: string; readonly [field: string]: unknown };
}

export interface Pooler {
  readonly metadata: V1ObjectMeta & { readonly name: string; readonly namespace: string; readonly uid: string };
  readonly spec: { readonly cluster: { readonly name: string }; readonly type?: 'rw' | 'ro' | 'r'; readonly instances?: number };
}

export interface ObjectStore {
  readonly metadata: V1ObjectMeta & { readonly name: string; readonly namespace: string; readonly uid: string };
  readonly spec: { readonly configuration: BarmanStore };
  readonly status?: { readonly serverRecoveryWindow?: Readonly<Record<string, unknown>> };
}

/** Paths of the API. */
export const paths = {
  core: (namespace: string, kind: string, name?: string) => join(`/api/v1/namespaces/${namespace}/${kind}`, name),
  clusters: (namespace: string, name?: string) => join(`/apis/${group}/v1/namespaces/${namespace}/clusters`, name),
  backups: (namespace: string, name?: string) => join(`/apis/${group}/v1/namespaces/${namespace}/backups`, name),
  poolers: (namespace: string, name?: string) => join(`/apis/${group}/v1/namespaces/${namespace}/poolers`, name),
  objectStores: (namespace: string, name?: string) => join(`/apis/${barmanGroup}/v1/namespaces/${namespace}/objectstores`, name),
  leases: (namespace: string, name?: string) => join(`/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`, name),
  nodes: (name?: string) => join('/api/v1/nodes', name),
};

function join(path: string, name: string | undefined): string {
  return name === undefined ? path : `${path}/${name}`;
}

export function ownedBy(owner: { readonly metadata: { readonly name: string; readonly uid: string } }, kind: string): V1OwnerReference[] {
  return [{ apiVersion: `${group}/v1`, kind, name: owner.metadata.name, uid: owner.metadata.uid, controller: true, blockOwnerDeletion: true }];
}
