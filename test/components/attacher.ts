import type { Volume } from '@aws-sdk/client-ec2';
import { systemClock } from '../../src/engine/clock.js';
import { serveCsiNode } from './kubernetes/csi-node.js';
import { requestsTo, type Cluster, type KubernetesObject } from './kubernetes/index.js';

/**
 * A stand-in for the controller part of the EBS CSI driver with its external attacher, and for its node part on each hollow node. It does
 * to the API server what they do (CSIDriver, CSINode, finalizers on VolumeAttachments and volumes, attached, attachError, detachError), and
 * has EC2 attach and detach the volumes of the instances that it starts, one for each node. The VolumeAttachments are made by
 * the controller manager for pods that the scheduler has placed. Nothing is mounted.
 */
export interface Attacher {
  readonly driver: string;
  /** Of a node. */
  instance(node: string): string;
  /** `never`: VolumeAttachments stay when they are deleted, and say that EC2 did not detach in time. */
  detaching: 'works' | 'never';
  stop(): Promise<void>;
}

interface VolumeAttachment extends KubernetesObject {
  readonly spec: { readonly attacher: string; readonly nodeName: string; readonly source: { readonly persistentVolumeName?: string } };
  readonly status?: { readonly attached?: boolean; readonly attachError?: { message?: string }; readonly detachError?: { message?: string } };
}

const driver = 'ebs.csi.aws.com';
const finalizer = 'external-attacher/ebs-csi-aws-com';
const attachments = '/apis/storage.k8s.io/v1/volumeattachments';
const volumes = '/api/v1/persistentvolumes';

/** `endpoint`: of EC2. The nodes' zones must be zones of `region`. Not for a cluster of others: a real driver is there. */
export async function startAttacher({ own, nodes, kubeconfigOf }: Pick<Cluster, 'own' | 'nodes' | 'kubeconfigOf'>, { endpoint, region = 'eu-central-1', credentials = { accessKeyId: 'attacher', secretAccessKey: 'attacher' } }: { readonly endpoint: string; readonly region?: string; readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string } }): Promise<Attacher> {
  if (own === null) throw new Error('the attacher is for clusters of ours');
  const { EC2 } = await import('@aws-sdk/client-ec2');
  const ec2 = new EC2({ endpoint, region, credentials });
  // As the sidecar of the real driver calls itself, whose program has that name: it is the field manager of what it writes.
  const request = await requestsTo(kubeconfigOf('attacher'), 'csi-attacher/v4.8.0 (stand-in)');
  const instances = new Map<string, { readonly id: string; readonly zone: string }>();
  for (const { name, zone } of nodes) {
    const { Instances = [] } = await ec2.runInstances({ ImageId: 'ami-12c6146b', MinCount: 1, MaxCount: 1, Placement: { AvailabilityZone: zone }, TagSpecifications: [{ ResourceType: 'instance', Tags: [{ Key: 'Name', Value: name }] }] });
    instances.set(name, { id: Instances[0]?.InstanceId ?? '', zone });
  }
  const instanceOf = (node: string): { readonly id: string; readonly zone: string } => {
    const instance = instances.get(node);
    if (instance === undefined) throw new Error(`InvalidInstanceID.NotFound: no instance is the node ${node}`);
    return instance;
  };
  await request('POST', '/apis/storage.k8s.io/v1/csidrivers', { metadata: { name: driver }, spec: { attachRequired: true, podInfoOnMount: false } });
  const closing = new Map<string, () => Promise<void>>();
  await own.nodes.runOnEach(async ({ name, zone }, folder) => {
    await closing.get(name)?.();
    const served = await serveCsiNode(folder, driver, instanceOf(name).id, zone);
    closing.set(name, () => served.close());
  });

  const patch = (path: string, body: unknown): Promise<unknown> => request('PATCH', path, body);
  const describe = async (id: string): Promise<Volume> => {
    const { Volumes: [volume] = [] } = await ec2.describeVolumes({ VolumeIds: [id] });
    if (volume === undefined) throw new Error(`InvalidVolume.NotFound: The volume '${id}' does not exist.`);
    return volume;
  };
  const keep = (path: string, { metadata: { finalizers = [] } }: KubernetesObject): Promise<unknown> | undefined => (finalizers.includes(finalizer) ? undefined : patch(path, { metadata: { finalizers: [...finalizers, finalizer] } }));
  const release = (path: string, { metadata: { finalizers = [] } }: KubernetesObject): Promise<unknown> => patch(path, { metadata: { finalizers: finalizers.filter((name) => name !== finalizer) } });
  const handleOf = async (attachment: VolumeAttachment): Promise<{ readonly id: string; readonly volume: KubernetesObject }> => {
    const volume = await request('GET', `${volumes}/${attachment.spec.source.persistentVolumeName}`);
    const { volumeHandle } = (volume.spec?.['csi'] ?? {}) as { volumeHandle?: string };
    return { id: volumeHandle ?? '', volume };
  };

  const attach = async (attachment: VolumeAttachment, path: string): Promise<void> => {
    await keep(path, attachment);
    const { id, volume } = await handleOf(attachment);
    await keep(`${volumes}/${volume.metadata.name}`, volume);
    const instance = instanceOf(attachment.spec.nodeName);
    const { AvailabilityZone, Attachments = [] } = await describe(id);
    // moto does not compare zones.
    if (AvailabilityZone !== instance.zone) throw new Error(`InvalidVolume.ZoneMismatch: The volume '${id}' is not in the same availability zone as instance '${instance.id}'`);
    if (!Attachments.some(({ InstanceId }) => InstanceId === instance.id)) {
      if (Attachments.length > 0) throw new Error(`VolumeInUse: ${id} is already attached to an instance`);
      const { BlockDeviceMappings = [] } = (await ec2.describeInstances({ InstanceIds: [instance.id] })).Reservations?.[0]?.Instances?.[0] ?? {};
      const taken = new Set(BlockDeviceMappings.map(({ DeviceName }) => DeviceName));
      const device = Array.from('abcdefghijklmnopqrstuvwxyz', (letter) => `/dev/xvdb${letter}`).find((name) => !taken.has(name)) ?? '';
      await ec2.attachVolume({ VolumeId: id, InstanceId: instance.id, Device: device });
    }
    const devicePath = (await describe(id)).Attachments?.[0]?.Device ?? '';
    await patch(`${path}/status`, { status: { attached: true, attachmentMetadata: { devicePath }, attachError: null } });
  };
  const detach = async (attachment: VolumeAttachment, path: string): Promise<void> => {
    if (!attachment.metadata.finalizers?.includes(finalizer)) return;
    if (attacher.detaching === 'never') throw new Error('rpc error: code = DeadlineExceeded desc = context deadline exceeded');
    const { id } = await handleOf(attachment);
    const { id: instance } = instanceOf(attachment.spec.nodeName);
    const { Attachments = [] } = await describe(id);
    if (Attachments.some(({ InstanceId }) => InstanceId === instance)) await ec2.detachVolume({ VolumeId: id, InstanceId: instance });
    if ((await describe(id)).State === 'in-use') return;
    await patch(`${path}/status`, { status: { attached: false } });
    await release(path, attachment);
  };
  const reconcile = async (attachment: VolumeAttachment): Promise<void> => {
    const path = `${attachments}/${attachment.metadata.name}`;
    const leaving = attachment.metadata.deletionTimestamp !== undefined;
    if (!leaving && attachment.status?.attached === true) return;
    try {
      await (leaving ? detach : attach)(attachment, path);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      const member = leaving ? 'detachError' : 'attachError';
      if (attachment.status?.[member]?.message !== message) await patch(`${path}/status`, { status: { [member]: { message, time: new Date().toISOString() } } }).catch(() => undefined);
    }
  };

  const clock = systemClock();
  const ending = new AbortController();
  const attacher: Attacher = {
    driver,
    detaching: 'works',
    instance: (node) => instanceOf(node).id,
    async stop() {
      ending.abort();
      await loop;
      await Promise.all(Array.from(closing.values(), (close) => close()));
      ec2.destroy();
    },
  };
  const round = async (): Promise<void> => {
    const { items = [] } = await request<{ items?: VolumeAttachment[] }>('GET', attachments);
    const ours = items.filter(({ spec }) => spec.attacher === driver);
    await Promise.all(ours.map(reconcile));
    const inUse = new Set(ours.map(({ spec }) => spec.source.persistentVolumeName));
    for (const volume of (await request('GET', volumes)).items ?? []) {
      const { name, deletionTimestamp, finalizers = [] } = volume.metadata;
      if (deletionTimestamp !== undefined && finalizers.includes(finalizer) && !inUse.has(name)) await release(`${volumes}/${name}`, volume);
    }
  };
  const loop = (async () => {
    while (!ending.signal.aborted) {
      // An API server that is away, or an object that changed meanwhile: the next round sees it as it is then.
      await round().catch(() => undefined);
      await clock.sleep(150, ending.signal).catch(() => undefined);
    }
  })();
  return attacher;
}
