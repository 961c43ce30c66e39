import { afterAll, beforeAll, expect, test } from 'vitest';
import { requireComponent } from '../components/index.js';
import { kubernetesComponent, startKubernetes, type Cluster, type KubernetesObject } from '../components/kubernetes/index.js';
import { serveNodePower, type NodePower } from '../components/kubernetes/node-power.js';
import { removeFolders } from './harness.js';
import { startShop, type Shop, type ShopDrill } from './kubernetes-rig.js';

const describeKubernetes = process.env['MUSTER_TEST_KUBECONFIG'] ? (await requireComponent(kubernetesComponent)).skip : await requireComponent(kubernetesComponent);
const rbac = '/apis/rbac.authorization.k8s.io/v1';

interface Role extends KubernetesObject {
  readonly kind: 'Role' | 'ClusterRole';
  readonly rules: readonly unknown[];
}

describeKubernetes('under exactly the rights that `muster permissions` prints', () => {
  let cluster: Cluster;
  let power: NodePower;
  let shop: Shop;
  beforeAll(async () => {
    cluster = await startKubernetes();
    power = await serveNodePower(cluster);
    shop = await startShop(cluster, `muster-rights-${process.pid}`, { replicas: 4, minAvailable: 2 });
  });
  afterAll(async () => {
    await shop?.stop();
    await power?.stop();
    await cluster?.stop();
    await removeFolders();
  });

  const optionsFor = (runbook: string): ShopDrill => ({
    kubeconfig: cluster.kubeconfigOf('drill'),
    set: runbook === 'pod-failure' ? {} : { zone: 'eu-central-1a', ...(runbook === 'az-failure' ? { nodePower: power.file } : {}) },
    environment: ({ boundary }) => (boundary.commands = [power.file]),
  });
  /** Makes roles and binds them to the drill's user; returns how to take them away. */
  const grant = async (roles: readonly Role[]) => {
    const made: string[] = [];
    const make = async (path: string, body: { readonly metadata: { readonly name: string } }) => {
      await cluster.request('POST', path, body);
      made.push(`${path}/${body.metadata.name}`);
    };
    for (const role of roles) {
      const place = role.kind === 'Role' ? `${rbac}/namespaces/${role.metadata.namespace}` : rbac;
      const [plural, binding] = role.kind === 'Role' ? ['roles', 'rolebindings'] : ['clusterroles', 'clusterrolebindings'];
      await make(`${place}/${plural}`, role);
      await make(`${place}/${binding}`, { metadata: { name: role.metadata.name }, roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: role.kind, name: role.metadata.name }, subjects: [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'muster-drill' }] } as never);
    }
    return async () => {
      for (const path of made) await cluster.request('DELETE', path);
    };
  };

  /** The drill before may have left all pods in one zone. */
  const spread = async () => {
    for (const replicas of [0, shop.replicas]) {
      await shop.patch({ spec: { replicas } });
      await expect.poll(shop.readyPods, { timeout: 60_000, interval: 200 }).toBe(replicas);
    }
  };

  test.each(['pod-failure', 'az-evacuation', 'az-failure'])('%s passes', async (runbook) => {
    await spread();
    const options = optionsFor(runbook);
    const take = await grant((await shop.rights(runbook, options)) as Role[]);
    try {
      const judged = await shop.drill(runbook, options);
      expect(judged.drill.reasons).toEqual([]);
      expect(judged.drill.verdict).toBe('passed');
    } finally {
      await take();
    }
  });

  test('with one rule less the run is refused, and the right is named', async () => {
    const options = optionsFor('pod-failure');
    const roles = (await shop.rights('pod-failure', options)) as Role[];
    const without = roles.map((role) => ({ ...role, rules: role.rules.filter((rule) => !JSON.stringify(rule).includes('"pods"')) }));
    const take = await grant(without);
    try {
      const drilled = await shop.run('pod-failure', options);
      expect(drilled.code, drilled.stderr).toBe(3);
      expect(drilled.stderr).toMatch(/delete.* pods|pods.*delete/);
    } finally {
      await take();
    }
  });
});
