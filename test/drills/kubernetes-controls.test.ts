import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '../../src/engine/clock.js';
import type { RunbookStep } from '../../src/engine/documents.js';
import { requestsTo, requireOwnKubernetes, startKubernetes, type Cluster, type OwnCluster } from '../components/kubernetes/index.js';
import { until } from '../components/kubernetes/programs.js';
import { serveNodePower, type NodePower } from '../components/kubernetes/node-power.js';
import { after, judge, removeFolders, stepOf } from './harness.js';
import { startShop, type Shop } from './kubernetes-rig.js';

const describeKubernetes = await requireOwnKubernetes('nodes are stopped and the API server is restarted');

describeKubernetes('what may come between a drill and its cluster', () => {
  let cluster: Cluster;
  let own: OwnCluster;
  let power: NodePower;
  let shop: Shop;
  const podNames = async () => ((await cluster.request('GET', `/api/v1/namespaces/${shop.namespace}/pods`)).items ?? []).map(({ metadata }) => metadata.name).toSorted();

  beforeAll(async () => {
    cluster = await startKubernetes();
    if (cluster.own === null) throw new Error('not a cluster of ours');
    own = cluster.own;
    power = await serveNodePower(cluster);
    shop = await startShop(cluster, `muster-controls-${process.pid}`, { replicas: 4, minAvailable: 2 });
  });
  afterAll(async () => {
    await shop?.stop();
    await power?.stop();
    await cluster?.stop();
    await removeFolders();
  });

  /** A kubeconfig of the drill's own service account, which may do everything, for `seconds`. */
  let tries = 0;
  const expiring = async (purpose: string, seconds: number) => {
    const name = `${purpose}-${(tries += 1)}`;
    await cluster.request('POST', `/api/v1/namespaces/${shop.namespace}/serviceaccounts`, { metadata: { name } });
    await cluster.request('POST', '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', { metadata: { name: `${shop.namespace}-${name}` }, roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' }, subjects: [{ kind: 'ServiceAccount', name, namespace: shop.namespace }] });
    return { kubeconfig: own.kubeconfigWith(await own.expiringToken(shop.namespace, name, seconds)), withdraw: () => cluster.request('DELETE', `/api/v1/namespaces/${shop.namespace}/serviceaccounts/${name}`) };
  };
  // The API server remembers for ten seconds that a token was good.
  const pause: RunbookStep = { id: 'pause', phase: 'detect', uses: 'wait', with: { for: '25s' } };

  /** From then on the drill asks for what has happened since that list. */
  const hasListed = (since: number) => readFileSync(own.auditLog, 'utf8').slice(since).split('\n').some((line) => line.includes('"stage":"ResponseComplete"') && line.includes('/api/v1/nodes?') && line.includes('"verb":"list"') && line.includes('labelSelector=topology.kubernetes.io'));

  test('the API server is restarted and has forgotten what a watch has seen (410): the drill goes on and passes', async () => {
    const since = readFileSync(own.auditLog, 'utf8').length;
    const judged = await shop.drill('az-failure', {
      set: { zone: 'eu-central-1a', nodePower: power.file },
      environment: ({ boundary }) => (boundary.commands = [power.file]),
      async beside(live) {
        await live.until(({ type, step }) => type === 'step.started' && step === 'not-ready');
        await until('the list of the nodes', () => Promise.resolve(hasListed(since)), []);
        // Something of another kind happens, and the new process knows nothing that is older.
        await cluster.request('POST', `/api/v1/namespaces/${shop.namespace}/configmaps`, { metadata: { generateName: 'elsewhere-' } });
        await own.restartApiServer();
      },
    });
    expect(judged.drill.reasons).toEqual([]);
    expect(judged.drill.verdict).toBe('passed');
    const log = readFileSync(join(judged.bundle, 'data/logs/not-ready.log'), 'utf8');
    expect(log).toMatch(/no longer has what happened/);
  });

  test('a token ends in mid-drill: failed, the step says so, and so does what could not be looked at afterwards', async () => {
    const { kubeconfig, withdraw } = await expiring('ending', 3_600);
    const drilled = await shop.run('pod-failure', {
      kubeconfig,
      runbook: (runbook) => after(runbook, 'gone', pause),
      async beside(live) {
        await live.until(({ type, step }) => type === 'step.finished' && step === 'gone');
        await withdraw();
      },
    });
    const judged = await judge(drilled);
    expect(judged.code, judged.stderr).toBe(5);
    expect(judged.drill.verdict).toBe('failed');
    expect(judged.drill.reasons.map(({ code, step }) => [code, step])).toContainEqual(['step-failed', 'replaced']);
    expect(judged.why('residue')).toMatch(/could not be looked at: .*Unauthorized/);
    expect(judged.of('step.finished').find(({ step }) => step === 'replaced')?.data.error).toMatchObject({ code: 'k8s-unauthorized' });
  });

  test('a token that has ended before: refused, and nothing was touched', async () => {
    const before = await podNames();
    const drilled = await shop.run('pod-failure', { kubeconfig: (await expiring('ended', -60)).kubeconfig });
    expect(drilled.code, drilled.stderr).toBe(3);
    expect(drilled.bundle).toBeNull();
    expect(drilled.stderr).toMatch(/401|[Uu]nauthorized|credentials/);
    expect(await podNames()).toEqual(before);
  });

  test('a namespace outside the boundary: refused, and nothing was touched', async () => {
    const before = await podNames();
    const drilled = await shop.run('pod-failure', { environment: ({ boundary }) => (boundary.kubernetes = [{ context: cluster.context, uid: cluster.uid, namespaces: ['another'], cluster: ['nodes'] }]) });
    expect(drilled.code, drilled.stderr).toBe(3);
    expect(drilled.bundle).toBeNull();
    expect(drilled.stderr).toContain(`${shop.namespace}`);
    expect(drilled.stderr).toMatch(/outside the boundary|must be named in the boundary/);
    expect(await podNames()).toEqual(before);
  });

  test.each(['gitops', 'autoscaler'])('a controller (%s) scales the workload back up: failed, and the step says who asks for other replicas', async (user) => {
    const controller = await requestsTo(cluster.kubeconfigOf(user));
    const path = `/apis/apps/v1/namespaces/${shop.namespace}/deployments/web`;
    const judged = await shop.drill('pod-failure', {
      runbook: (runbook) => {
        const scale = stepOf(runbook, 'kill');
        Object.assign(scale, { uses: 'k8s.scale', with: { kubernetes: 'cluster', kind: 'Deployment', name: '{{ inputs.workload }}', replicas: 0 } });
        runbook.steps = runbook.steps.filter((step) => step !== stepOf(runbook, 'gone'));
      },
      async beside(live) {
        let over = false;
        void live.ended.then(() => (over = true));
        while (!over) {
          const { spec } = await controller('GET', path);
          if (spec?.['replicas'] === 0) await controller('PATCH', `${path}?fieldManager=${user}`, { spec: { replicas: shop.replicas } });
          await systemClock().sleep(20, AbortSignal.timeout(60_000));
        }
      },
    });
    expect(judged.drill.verdict).toBe('failed');
    const error = judged.of('step.finished').find(({ step }) => step === 'kill')?.data.error;
    expect(error).toMatchObject({ code: 'k8s-scaled-by-another', message: expect.stringContaining(user) });
    await expect.poll(shop.readyPods, { timeout: 60_000, interval: 200 }).toBe(shop.replicas);
  });
});
