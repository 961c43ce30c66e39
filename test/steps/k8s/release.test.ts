import { EC2 } from '@aws-sdk/client-ec2';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { step as release } from '../../../src/steps/k8s/release.js';
import { step as wait } from '../../../src/steps/k8s/wait.js';
import { startAttacher, type Attacher } from '../../components/attacher.js';
import { requireOwnKubernetes, startKubernetes, type Cluster } from '../../components/kubernetes/index.js';
import { deployment, ebsVolume } from '../../components/kubernetes/objects.js';
import { motoComponent, startMoto, type Moto } from '../../components/moto.js';
import { stepRig } from './rig.js';

const describeRelease = await requireOwnKubernetes('the nodes of a zone are stopped', motoComponent);

describeRelease('volumes of nodes that are lost', () => {
  let cluster: Cluster;
  let moto: Moto;
  let attacher: Attacher;
  const namespace = `muster-release-${process.pid}`;
  beforeAll(async () => {
    [cluster, moto] = await Promise.all([startKubernetes(), startMoto()]);
    attacher = await startAttacher(cluster, moto);
    await cluster.request('POST', '/api/v1/namespaces', { metadata: { name: namespace } });
  });
  afterAll(async () => {
    await attacher?.stop();
    await cluster?.stop();
    await moto?.stop();
  });

  test('nodes that answer are refused; of lost ones the evicted pods are given up, and their volumes detached', async () => {
    const ec2 = new EC2({ endpoint: moto.endpoint, region: 'eu-central-1', credentials: { accessKeyId: 'test', secretAccessKey: 'test' } });
    const volumeId = (await ec2.createVolume({ AvailabilityZone: 'eu-central-1a', Size: 1 })).VolumeId ?? '';
    const { volume, claim } = ebsVolume('data', namespace, volumeId, 'eu-central-1a');
    await cluster.request('POST', '/api/v1/persistentvolumes', volume);
    await cluster.request('POST', `/api/v1/namespaces/${namespace}/persistentvolumeclaims`, claim);
    await cluster.request('POST', `/apis/apps/v1/namespaces/${namespace}/deployments`, deployment('db', { claim: 'data' }));
    const rig = stepRig(cluster, { namespace, clusterScoped: ['nodes', 'persistentvolumes', 'volumeattachments.storage.k8s.io'] });
    await rig.run(wait, { kind: 'Pod', selector: 'app=db', condition: 'Ready' });
    const zone = { selector: 'topology.kubernetes.io/zone=eu-central-1a' };
    await expect(rig.run(release, zone)).rejects.toEqual(expect.objectContaining({ code: 'k8s-node-alive' }));

    await cluster.own?.nodes.stop('hollow-a');
    await rig.run(wait, { kind: 'Node', name: 'hollow-a', condition: 'Ready', value: 'Unknown' });
    // As if it had unmounted before it was lost: else Kubernetes waits six minutes (test/exhaustive/forced-detach).
    await cluster.request('PATCH', '/api/v1/nodes/hollow-a/status', { status: { volumesInUse: null } });
    expect(await rig.run(release, zone)).toMatchObject({ nodes: ['hollow-a'], pods: [expect.stringMatching(/^db-/)], volumes: ['data'] });
    expect((await ec2.describeVolumes({ VolumeIds: [volumeId] })).Volumes?.[0]?.State).toBe('available');
    ec2.destroy();
  }, 180_000);
});
