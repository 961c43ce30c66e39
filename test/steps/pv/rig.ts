import { CreateSnapshotCommand, CreateTagsCommand, CreateVolumeCommand, type EC2Client } from '@aws-sdk/client-ec2';
import { startAttacher, type Attacher } from '../../components/attacher.js';
import { startAws, type Aws } from '../../components/aws.js';
import { iamUser } from '../../components/iam.js';
import { worldOf } from '../../components/kubernetes/connection.js';
import { startKubernetes, type Cluster, type KubernetesObject } from '../../components/kubernetes/index.js';
import { deployment, ebsVolume } from '../../components/kubernetes/objects.js';
import { until } from '../../components/kubernetes/programs.js';
import { account, drillTag, inside, other, region, zone } from '../../clients/ec2/lib.js';
import { scopeFor } from '../../clients/lib/scope.js';
import { provisioner } from '../../../src/clients/provision/aws.js';
import { createGuard } from '../../../src/engine/guard.js';
import { guardPolicy } from '../../../src/engine/guard/policy.js';
import { contextFor } from '../lib/context.js';
import type { AwsContext } from '../ec2/rig.js';

export const runId = '20261120T101704Z-swap-abcdef';
const Tags = [{ Key: drillTag.key, Value: drillTag.value }];

/** A workload with a volume that is attached and ready, a snapshot of it, and a volume made from that. */
export interface Place {
  readonly namespace: string;
  readonly name: string;
  readonly claim: string;
  readonly original: string;
  readonly snapshot: string;
  readonly replacement: string;
  /** Name of the original volume object. */
  readonly volumeName: string;
}

/** A cluster and AWS, the stand-in that attaches the volumes of one to the nodes of the other, and one workload at a time. */
export interface Stage {
  readonly cluster: Cluster;
  readonly aws: Aws;
  readonly attacher: Attacher;
  /** AWS as an administrator sees it, whom IAM knows too. */
  readonly ec2: EC2Client;
  /** Sets a workload in a namespace of its own. The one before is gone then, and what a test changed of AWS and the attacher is as it was. */
  place(options?: PlaceOptions): Promise<Place>;
  /** Whatever stands there goes with the cluster. */
  stop(): Promise<void>;
}

/** `name`: the namespaces begin with it. */
export async function startStage(name: string): Promise<Stage> {
  const [cluster, aws] = await Promise.all([startKubernetes(), startAws()]);
  const stop = async (): Promise<void> => {
    await aws.stop();
    await cluster.stop();
  };
  try {
    const credentials = await iamUser(aws.moto, 'admin', ['*']);
    const ec2 = other(aws.moto, credentials);
    const attacher = await startAttacher(cluster, { endpoint: aws.moto.endpoint, credentials });
    let places = 0;
    let current: Place | undefined;
    return {
      cluster,
      aws,
      attacher,
      ec2,
      async place(options) {
        aws.proxy.meddle(undefined);
        attacher.detaching = 'works';
        const before = current;
        current = undefined;
        [current] = await Promise.all([place(cluster, ec2, `${name}-${process.pid}-${(places += 1)}`, options), before === undefined ? undefined : clear(cluster, before)]);
        return current;
      },
      async stop() {
        await attacher.stop();
        await stop();
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

export const soon = { timeout: 180_000, interval: 200 };

export interface PlaceOptions {
  readonly kind?: 'Deployment' | 'StatefulSet';
  readonly policy?: 'Retain' | 'Delete';
  readonly replacementZone?: string;
}

async function place(cluster: Cluster, ec2: EC2Client, namespace: string, { kind = 'Deployment', policy = 'Retain', replacementZone = zone }: PlaceOptions = {}): Promise<Place> {
  const name = 'db';
  const claim = kind === 'Deployment' ? 'data' : `data-${name}-0`;
  const made = async (more: object): Promise<string> => (await ec2.send(new CreateVolumeCommand({ AvailabilityZone: zone, Size: 1, TagSpecifications: [{ ResourceType: 'volume', Tags }], ...more }))).VolumeId ?? '';
  const original = await made({});
  const snapshot = (await ec2.send(new CreateSnapshotCommand({ VolumeId: original }))).SnapshotId ?? '';
  await ec2.send(new CreateTagsCommand({ Resources: [snapshot], Tags: [...Tags, { Key: 'app', Value: namespace }] }));
  const replacement = await made({ SnapshotId: snapshot, AvailabilityZone: replacementZone });
  await cluster.request('POST', '/api/v1/namespaces', { metadata: { name: namespace } });
  const { volume, claim: asked } = ebsVolume(`${namespace}-pv`, namespace, original, zone);
  const { spec } = volume as { spec: Record<string, unknown> };
  await cluster.request('POST', '/api/v1/persistentvolumes', { ...volume, spec: { ...spec, persistentVolumeReclaimPolicy: policy, claimRef: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace, name: claim } } });
  await cluster.request('POST', `/api/v1/namespaces/${namespace}/persistentvolumeclaims`, { ...asked, metadata: { name: claim, labels: { app: name } } });
  const plain = deployment(name, { claim }) as { spec: Record<string, unknown> & { template: { spec: Record<string, unknown> } } };
  if (kind === 'Deployment') await cluster.request('POST', `/apis/apps/v1/namespaces/${namespace}/deployments`, plain);
  else {
    const { strategy: _none, template, ...rest } = plain.spec as typeof plain.spec & { strategy?: unknown };
    const { volumes: _volumes, ...pod } = template.spec;
    const claims = [{ metadata: { name: 'data' }, spec: { accessModes: ['ReadWriteOnce'], storageClassName: '', resources: { requests: { storage: '1Gi' } } } }];
    await cluster.request('POST', `/apis/apps/v1/namespaces/${namespace}/statefulsets`, { apiVersion: 'apps/v1', kind, metadata: { name }, spec: { ...rest, serviceName: name, template: { ...template, spec: pod }, volumeClaimTemplates: claims } });
  }
  const placed = { namespace, name, claim, original, snapshot, replacement, volumeName: `${namespace}-pv` };
  await until('the workload', async () => (await ready(cluster, placed, kind)) === 1, [], soon.timeout);
  return placed;
}

export const workloadPath = ({ namespace, name }: Place, kind: 'Deployment' | 'StatefulSet' = 'Deployment') => `/apis/apps/v1/namespaces/${namespace}/${kind.toLowerCase()}s/${name}`;

export async function ready(cluster: Cluster, at: Place, kind: 'Deployment' | 'StatefulSet' = 'Deployment'): Promise<number> {
  const { status } = await cluster.request('GET', workloadPath(at, kind));
  return (status?.['readyReplicas'] as number | undefined) ?? 0;
}

/** The volume object behind the claim, as the API server has it. */
export async function behind(cluster: Cluster, { namespace, claim }: Place): Promise<KubernetesObject> {
  const { spec } = await cluster.request('GET', `/api/v1/namespaces/${namespace}/persistentvolumeclaims/${claim}`);
  return cluster.request('GET', `/api/v1/persistentvolumes/${String(spec?.['volumeName'])}`);
}

export const handleOf = ({ spec }: KubernetesObject) => (spec?.['csi'] as { volumeHandle?: string } | undefined)?.volumeHandle;

/** A step's context on the cluster (`k8s`) and on EC2 (`aws`), behind the real guard. Call it within `withEnv`. */
export async function contextOn(cluster: Cluster, { namespace }: Place, signal?: AbortSignal): Promise<AwsContext> {
  const world = worldOf(cluster, { namespace });
  const given = { account, region, tag: drillTag };
  const details = (await provisioner.existing?.(given, { runbookDir: '/' })) ?? {};
  world.apply({ type: 'connection.provisioned', data: { connection: 'aws', kind: 'aws', role: 'target', provision: 'aws', details } });
  const connections = { k8s: { kind: 'kubernetes', role: 'target', provision: 'kubeconfig', with: {}, does: '' }, aws: { kind: 'aws', role: 'target', provision: 'aws', with: given, does: '' } } as const;
  const boundary = { aws: [inside], kubernetes: [{ context: cluster.context, uid: cluster.uid, namespaces: [namespace], cluster: [`persistentvolumes/${namespace}-*`, 'persistentvolumes/muster-*', 'volumeattachments.storage.k8s.io'] }] };
  const guard = createGuard(guardPolicy({ environment: { connections, endpoints: {}, boundary, forbidden: [] }, world, ownDirectories: [], runbookDir: '/' }));
  const scope = scopeFor(guard, runId);
  return contextFor({ world, scope: signal === undefined ? scope : { ...scope, signal }, ...(signal === undefined ? {} : { signal }) });
}

const volumesOf = async (cluster: Cluster, { namespace }: Place): Promise<string[]> =>
  ((await cluster.request('GET', '/api/v1/persistentvolumes')).items ?? []).filter(({ spec }) => (spec?.['claimRef'] as { namespace?: string } | undefined)?.namespace === namespace).map(({ metadata }) => metadata.name);

/** Resolves when nothing of it is attached any more, so that who watches the cluster does not see it go: its volumes stay until then. */
async function clear(cluster: Cluster, at: Place): Promise<void> {
  const volumes = await volumesOf(cluster, at);
  await cluster.request('DELETE', `/api/v1/namespaces/${at.namespace}`);
  for (const name of volumes) await cluster.request('DELETE', `/api/v1/persistentvolumes/${name}`).catch(() => undefined);
  await until('the volumes to go', async () => (await volumesOf(cluster, at)).length === 0, []);
}
