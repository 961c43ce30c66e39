import { afterAll, beforeAll, expect, test } from 'vitest';
import { requireOwnKubernetes, startKubernetes, type Cluster } from '../components/kubernetes/index.js';
import { serveNodePower, type NodePower } from '../components/kubernetes/node-power.js';
import { removeFolders } from './harness.js';
import { startShop, type Shop, type ShopDrill } from './kubernetes-rig.js';
import { naming, serviceAccount, withOneLess, type Account } from './rights.js';

const describeKubernetes = await requireOwnKubernetes('users with few rights are made, and nodes are stopped');

describeKubernetes('under exactly the rights that `muster permissions` prints', () => {
  let cluster: Cluster;
  let power: NodePower;
  let shop: Shop;
  let account: Account;
  beforeAll(async () => {
    cluster = await startKubernetes();
    if (cluster.own === null) throw new Error('not a cluster of ours');
    power = await serveNodePower(cluster);
    shop = await startShop(cluster, `muster-rights-${process.pid}`, { replicas: 4, minAvailable: 2 });
    account = await serviceAccount(cluster, cluster.own, shop.namespace);
  });
  afterAll(async () => {
    await shop?.stop();
    await power?.stop();
    await cluster?.stop();
    await removeFolders();
  });

  const runbooks = ['pod-failure', 'az-evacuation', 'az-failure'];
  /** Only while a budget refuses (test/steps/k8s/workloads.test.ts): where pods start quickly it may not. */
  const refused = new Set(['get pods', 'list poddisruptionbudgets', 'watch poddisruptionbudgets']);
  const optionsFor = (runbook: string): ShopDrill => ({
    kubeconfig: account.kubeconfig,
    set: runbook === 'pod-failure' ? {} : { zone: 'eu-central-1a', ...(runbook === 'az-failure' ? { nodePower: power.file } : {}) },
    environment({ boundary, watch }) {
      boundary.commands = [power.file];
      // It names every controller by its user; without, objects say which field manager wrote.
      if (watch !== undefined) watch.with = { k8s: { audit: { file: cluster.own?.auditLog } } };
    },
  });
  const pods = async () => ((await cluster.request('GET', `/api/v1/namespaces/${shop.namespace}/pods`)).items ?? []).map(({ metadata }) => metadata.uid).toSorted();
  /** Half of the pods in each zone: the drill before may have left all in one, and the scheduler does not promise to spread them. */
  const spread = async () => {
    const scaled = async (replicas: number) => {
      await shop.patch({ spec: { replicas } });
      await expect.poll(shop.readyPods, { timeout: 60_000, interval: 200 }).toBe(replicas);
    };
    await scaled(0);
    for (const [other, replicas] of [['hollow-b', shop.replicas / 2], ['hollow-a', shop.replicas]] as const) {
      await cluster.request('PATCH', `/api/v1/nodes/${other}`, { spec: { unschedulable: true } });
      await scaled(replicas);
      await cluster.request('PATCH', `/api/v1/nodes/${other}`, { spec: { unschedulable: null } });
    }
  };

  test.each(runbooks.flatMap((runbook) => [[runbook, 'unwatched'], [runbook, 'watched']] as const))('%s, %s, passes, and uses each of them', async (runbook, how) => {
    await spread();
    // Evicting two at once is refused by it: what is asked of budgets is asked then.
    await shop.budget(runbook === 'az-evacuation' ? 3 : 2);
    // A watcher may list and watch everything: without it the steps' own rights show.
    const options = { ...optionsFor(runbook), watched: how === 'watched' };
    const roles = await shop.rights(runbook, options);
    await account.grant(roles);
    await expect.poll(() => shop.failed(runbook, options), { timeout: 30_000 }).toBe('');
    const since = new Date();
    const judged = await shop.drill(runbook, options);
    expect(judged.drill.reasons).toEqual([]);
    expect(judged.drill.verdict).toBe('passed');
    expect(account.unused(roles, since).filter((right) => runbook !== 'az-evacuation' || !refused.has(right))).toEqual([]);
  });

  test.each(runbooks)('of %s, preflight names any one rule that is missing', async (runbook) => {
    const options = { ...optionsFor(runbook), watched: runbook === 'az-failure' };
    for (const { missing, rest } of withOneLess(await shop.rights(runbook, options))) {
      await account.grant(rest);
      await expect.poll(() => shop.failed(runbook, options), { timeout: 30_000 }).toMatch(naming(missing));
    }
  });

  test.each(runbooks)('%s is refused with one rule less, and touches nothing', async (runbook) => {
    const options = optionsFor(runbook);
    const before = await pods();
    const without = withOneLess(await shop.rights(runbook, options)).find(({ missing }) => missing.resources.includes('pods'));
    await account.grant(without?.rest ?? []);
    const drilled = await shop.run(runbook, options);
    expect(drilled.code, drilled.stderr).toBe(3);
    expect(drilled.stderr).toMatch(/right to \w+ pods in /);
    expect(drilled.bundle).toBeNull();
    expect(await pods()).toEqual(before);
    expect(cluster.own?.nodes.running('hollow-a')).toBe(true);
  });
});
