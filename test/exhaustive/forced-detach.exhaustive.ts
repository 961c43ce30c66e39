import { EC2 } from '@aws-sdk/client-ec2';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startAttacher, type Attacher } from '../components/attacher.js';
import { requireOwnKubernetes, startKubernetes, type Cluster } from '../components/kubernetes/index.js';
import { serveNodePower, type NodePower } from '../components/kubernetes/node-power.js';
import { deployment, ebsVolume } from '../components/kubernetes/objects.js';
import { until } from '../components/kubernetes/programs.js';
import { motoComponent, startMoto, type Moto } from '../components/moto.js';
import { removeFolders } from '../drills/harness.js';
import { startShop, type Shop } from '../drills/kubernetes-rig.js';

const describeZone = await requireOwnKubernetes('the nodes of a zone are stopped', motoComponent);
const zone = 'eu-central-1a';
const minutes = 60_000;

describeZone('a zone is lost with a volume attached in it', () => {
  let cluster: Cluster;
  let moto: Moto;
  let attacher: Attacher;
  let power: NodePower;
  let shop: Shop;
  beforeAll(async () => {
    [cluster, moto] = await Promise.all([startKubernetes(), startMoto()]);
    attacher = await startAttacher(cluster, moto);
    power = await serveNodePower(cluster);
    shop = await startShop(cluster, 'muster-forced-detach', { replicas: 4, minAvailable: 2 });
  });
  afterAll(async () => {
    await shop?.stop();
    await attacher?.stop();
    await power?.stop();
    await cluster?.stop();
    await moto?.stop();
    await removeFolders();
  });

  test('Kubernetes detaches it by force after its six minutes, and the drill waits for that', async () => {
    const ec2 = new EC2({ endpoint: moto.endpoint, region: 'eu-central-1', credentials: { accessKeyId: 'test', secretAccessKey: 'test' } });
    const volumeId = (await ec2.createVolume({ AvailabilityZone: zone, Size: 1 })).VolumeId ?? '';
    const { volume, claim } = ebsVolume('data', shop.namespace, volumeId, zone);
    const deployments = `/apis/apps/v1/namespaces/${shop.namespace}/deployments`;
    await cluster.request('POST', '/api/v1/persistentvolumes', volume);
    await cluster.request('POST', `/api/v1/namespaces/${shop.namespace}/persistentvolumeclaims`, claim);
    await cluster.request('POST', deployments, deployment('db', { claim: 'data' }));
    await until('the database', async () => (await cluster.request('GET', `${deployments}/db`)).status?.['readyReplicas'] === 1, []);
    const judged = await shop.drill('az-failure', { set: { zone, nodePower: power.file }, environment: ({ boundary }) => (boundary.commands = [power.file]) });
    expect(judged.drill.reasons).toEqual([]);
    expect(judged.drill.verdict).toBe('passed');
    const released = judged.of('step.finished').find(({ step }) => step === 'release')?.data.output as { volumes: string[]; waitedMs: number };
    expect(released.volumes).toEqual(['data']);
    expect(released.waitedMs).toBeGreaterThan(5.5 * minutes);
    ec2.destroy();
  }, 20 * minutes);
});
