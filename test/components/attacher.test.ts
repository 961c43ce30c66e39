import { EC2 } from '@aws-sdk/client-ec2';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startAttacher, type Attacher } from './attacher.js';
import { requireOwnKubernetes, startKubernetes, type Cluster, type KubernetesObject } from './kubernetes/index.js';
import { deployment, ebsVolume } from './kubernetes/objects.js';
import { motoComponent, startMoto, type Moto } from './moto.js';

const describeAttacher = await requireOwnKubernetes('an attacher attaches volumes for the whole cluster', motoComponent);

describeAttacher('the stand-in for the EBS CSI driver', () => {
  let cluster: Cluster;
  let moto: Moto;
  let attacher: Attacher;
  let ec2: EC2;
  let volumeId = '';
  const deployments = '/apis/apps/v1/namespaces/default/deployments';
  const replicas = (count: number) => cluster.request('PATCH', `${deployments}/db`, { spec: { replicas: count } });
  const attachments = async () => (await cluster.request('GET', '/apis/storage.k8s.io/v1/volumeattachments')).items ?? [];
  const ready = async () => ((await cluster.request('GET', `${deployments}/db`)).status?.['readyReplicas'] as number | undefined) ?? 0;
  const state = async () => (await ec2.describeVolumes({ VolumeIds: [volumeId] })).Volumes?.[0];
  const soon = { timeout: 60_000, interval: 200 };

  beforeAll(async () => {
    [cluster, moto] = await Promise.all([startKubernetes(), startMoto()]);
    attacher = await startAttacher(cluster, moto);
    ec2 = new EC2({ endpoint: moto.endpoint, region: 'eu-central-1', credentials: { accessKeyId: 'test', secretAccessKey: 'test' } });
    volumeId = (await ec2.createVolume({ AvailabilityZone: 'eu-central-1a', Size: 1 })).VolumeId ?? '';
    const { volume, claim } = ebsVolume('data', 'default', volumeId, 'eu-central-1a');
    await cluster.request('POST', '/api/v1/persistentvolumes', volume);
    await cluster.request('POST', '/api/v1/namespaces/default/persistentvolumeclaims', claim);
    await cluster.request('POST', deployments, deployment('db', { claim: 'data' }));
  });
  afterAll(async () => {
    await attacher?.stop();
    await cluster?.stop();
    await moto?.stop();
  });

  test('a pod with a volume starts once EC2 has attached it to the instance of its node', async () => {
    await expect.poll(ready, soon).toBe(1);
    expect((await state())?.Attachments?.map(({ InstanceId }) => InstanceId)).toEqual([attacher.instance('hollow-a')]);
    expect((await attachments()).map(({ spec, status }: KubernetesObject) => [spec?.['nodeName'], status?.['attached']])).toEqual([['hollow-a', true]]);
  });

  test('without the pod the controller takes the attachment away, and EC2 detaches', async () => {
    await replicas(0);
    await expect.poll(attachments, soon).toEqual([]);
    expect((await state())?.State).toBe('available');
  });

  test('an attachment that never detaches stays and says why', async () => {
    await replicas(1);
    await expect.poll(ready, soon).toBe(1);
    attacher.detaching = 'never';
    await replicas(0);
    await expect.poll(async () => (await attachments())[0]?.status?.['detachError'], soon).toMatchObject({ message: expect.stringContaining('DeadlineExceeded') });
    expect((await state())?.State).toBe('in-use');
    attacher.detaching = 'works';
    await expect.poll(attachments, soon).toEqual([]);
  });

  test('a volume of another zone is not attached', async () => {
    const elsewhere = (await ec2.createVolume({ AvailabilityZone: 'eu-central-1b', Size: 1 })).VolumeId ?? '';
    // It says that it is in a zone where it is not.
    const { volume, claim } = ebsVolume('wrong', 'default', elsewhere, 'eu-central-1a');
    await cluster.request('POST', '/api/v1/persistentvolumes', volume);
    await cluster.request('POST', '/api/v1/namespaces/default/persistentvolumeclaims', claim);
    await cluster.request('POST', deployments, deployment('lost', { claim: 'wrong' }));
    await expect.poll(async () => (await attachments())[0]?.status?.['attachError'], soon).toMatchObject({ message: expect.stringContaining('InvalidVolume.ZoneMismatch') });
  });
});
