import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { requireOwnKubernetes, startKubernetes, type Cluster, type KubernetesObject } from '../components/kubernetes/index.js';
import { serveNodePower, type NodePower } from '../components/kubernetes/node-power.js';
import { removeFolders } from './harness.js';
import { startShop, type Shop } from './kubernetes-rig.js';

const describeKubernetes = await requireOwnKubernetes('nodes are stopped and cordoned');
const zone = 'eu-central-1a';

describeKubernetes('a zone', () => {
  let cluster: Cluster;
  let power: NodePower;
  let shop: Shop;
  let shops = 0;
  const start = async (options: { replicas: number; minAvailable: number }) => (shop = await startShop(cluster, `muster-az-${process.pid}-${(shops += 1)}`, options));
  const pods = async () => (await cluster.request('GET', `/api/v1/namespaces/${shop.namespace}/pods`)).items ?? [];
  const nodeNames = (list: readonly KubernetesObject[]) => new Set(list.map(({ spec }) => spec?.['nodeName']));
  const unschedulable = async () => ((await cluster.request('GET', '/api/v1/nodes')).items ?? []).filter(({ spec }) => spec?.['unschedulable'] === true).length;

  beforeAll(async () => {
    cluster = await startKubernetes({ nodes: ['a', 'b', 'c'].map((letter) => ({ name: `hollow-${letter}`, zone: `eu-central-1${letter}` })) });
    power = await serveNodePower(cluster);
  });
  afterEach(() => shop.stop());
  afterAll(async () => {
    await power?.stop();
    await cluster?.stop();
    await removeFolders();
  });

  test('is evacuated in good order: passed, never below the budget, and its nodes take pods again', async () => {
    await start({ replicas: 4, minAvailable: 3 });
    expect(nodeNames(await pods())).toContain('hollow-a');
    const judged = await shop.drill('az-evacuation', { set: { zone } });
    expect(judged.drill.reasons).toEqual([]);
    expect(judged.drill.verdict).toBe('passed');
    expect(judged.evidence('health-checks').flatMap(({ checks }) => checks)).toContainEqual({ name: `Never fewer than 3 pods of Deployment ${shop.namespace}/web ready`, ok: true, detail: 'the least was 3' });
    expect(nodeNames(await pods())).not.toContain('hollow-a');
    expect(await unschedulable()).toBe(0);
  });

  test('is lost: noticed, evicted and carried by the others; passed, and its nodes are back', async () => {
    await start({ replicas: 6, minAvailable: 3 });
    const judged = await shop.drill('az-failure', { set: { zone, nodePower: power.file }, environment: ({ boundary }) => (boundary.commands = [power.file]) });
    expect(judged.drill.reasons).toEqual([]);
    expect(judged.drill.verdict).toBe('passed');
    expect(judged.drill.rto.status).toBe('met');
    // Nobody but the node lifecycle controller noticed: that takes as long as it waits for a heartbeat.
    const finished = (id: string) => Date.parse(judged.of('step.finished').find(({ step }) => step === id)?.at ?? '');
    expect(finished('not-ready') - finished('stop')).toBeGreaterThan(5_000);
    expect(judged.evidence('health-checks').flatMap(({ checks }) => checks).filter(({ ok }) => !ok)).toEqual([]);
    expect(cluster.own?.nodes.running('hollow-a')).toBe(true);
  });

  test('is lost, and the others cannot hold the budget: failed, with the number that was left', async () => {
    await start({ replicas: 3, minAvailable: 3 });
    const judged = await shop.drill('az-failure', { set: { zone, nodePower: power.file }, environment: ({ boundary }) => (boundary.commands = [power.file]) });
    expect(judged.drill.verdict).toBe('failed');
    expect(judged.why('step-failed')).toMatch(/Never fewer than 3 pods .* ready: 2 at /);
  });
});
