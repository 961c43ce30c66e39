import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { requestsTo, requireOwnKubernetes, startKubernetes, type Cluster, type KubernetesObject, type Request } from '../components/kubernetes/index.js';
import { serveNodePower, type NodePower } from '../components/kubernetes/node-power.js';
import type { Environment } from '../../src/engine/documents.js';
import { removeFolders } from './harness.js';
import { startShop, type Shop, type ShopDrill } from './kubernetes-rig.js';
import { meanwhile } from './meanwhile.js';

const describeKubernetes = await requireOwnKubernetes('nodes are stopped and cordoned');
const zone = 'eu-central-1a';

describeKubernetes('a zone', () => {
  let cluster: Cluster;
  let power: NodePower;
  let alice: Request;
  let shop: Shop;
  let shops = 0;
  const start = async (options: { replicas: number; minAvailable: number }) => (shop = await startShop(cluster, `muster-az-${process.pid}-${(shops += 1)}`, options));
  const pods = async () => (await cluster.request('GET', `/api/v1/namespaces/${shop.namespace}/pods`)).items ?? [];
  const nodeNames = (list: readonly KubernetesObject[]) => new Set(list.map(({ spec }) => spec?.['nodeName']));
  const unschedulable = async () => ((await cluster.request('GET', '/api/v1/nodes')).items ?? []).filter(({ spec }) => spec?.['unschedulable'] === true).length;

  /** With an audit log, which names every controller by its user; without, objects say which field manager wrote. */
  const audited = (audit = cluster.own?.auditLog): Pick<ShopDrill, 'watched' | 'environment'> => ({
    watched: true,
    environment({ boundary, watch }) {
      boundary.commands = [power.file];
      if (watch !== undefined && audit !== undefined) watch.with = { k8s: { audit: { file: audit } } };
    },
  });

  beforeAll(async () => {
    cluster = await startKubernetes({ nodes: ['a', 'b', 'c'].map((letter) => ({ name: `hollow-${letter}`, zone: `eu-central-1${letter}` })) });
    power = await serveNodePower(cluster);
    alice = await requestsTo(cluster.kubeconfigOf('alice'));
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
    const judged = await shop.drill('az-evacuation', { ...audited(), set: { zone } });
    expect(judged.drill.reasons).toEqual([]);
    expect(judged.drill.verdict).toBe('passed');
    expect(judged.evidence('health-checks').flatMap(({ checks }) => checks)).toContainEqual({ name: `Never fewer than 3 pods of Deployment ${shop.namespace}/web ready`, ok: true, detail: 'the least was 3' });
    expect(nodeNames(await pods())).not.toContain('hollow-a');
    expect(await unschedulable()).toBe(0);
  });

  test('is lost: noticed, evicted and carried by the others; passed, and its nodes are back', async () => {
    await start({ replicas: 6, minAvailable: 3 });
    const judged = await shop.drill('az-failure', { ...audited(), set: { zone, nodePower: power.file } });
    expect(judged.drill.reasons).toEqual([]);
    expect(judged.drill.verdict).toBe('passed');
    expect(judged.drill.rto.status).toBe('met');
    // Nobody but the node lifecycle controller noticed: that takes as long as it waits for a heartbeat.
    const finished = (id: string) => Date.parse(judged.of('step.finished').find(({ step }) => step === id)?.at ?? '');
    expect(finished('not-ready') - finished('stop')).toBeGreaterThan(5_000);
    expect(judged.evidence('health-checks').flatMap(({ checks }) => checks).filter(({ ok }) => !ok)).toEqual([]);
    expect(cluster.own?.nodes.running('hollow-a')).toBe(true);
  });

  test('is evacuated, but somebody lets pods onto it again: undocumented-change, by name', async () => {
    await start({ replicas: 3, minAvailable: 2 });
    const judged = await shop.drill('az-evacuation', { watched: true, set: { zone }, ...meanwhile('elsewhere', () => alice('PATCH', '/api/v1/nodes/hollow-a?fieldManager=kubectl-uncordon', { spec: { unschedulable: null } })) });
    expect(judged.codes).toEqual(['undocumented-change']);
    expect(judged.why('undocumented-change')).toMatch(/^\S+ \S+ node hollow-a: changed spec\.unschedulable$/);
  });

  test('is lost, the others cannot hold the budget, and somebody asks for more: failed, with the number that was left and with what was done', async () => {
    await start({ replicas: 3, minAvailable: 3 });
    const scale = `/apis/apps/v1/namespaces/${shop.namespace}/deployments/web/scale`;
    const helped = meanwhile('elsewhere', () => alice('PATCH', scale, { spec: { replicas: 4 } }));
    const environment = (given: Environment) => {
      helped.environment(given);
      given.boundary.commands?.push(power.file);
    };
    const judged = await shop.drill('az-failure', { watched: true, set: { zone, nodePower: power.file }, ...helped, environment });
    expect(judged.drill.verdict).toBe('failed');
    expect(judged.why('step-failed')).toMatch(/Never fewer than 3 pods .* ready: 2 at /);
    expect(judged.why('undocumented-change')).toMatch(/^\S+ \S+ deployment \S+\/web: changed spec\.replicas$/);
  });
});
