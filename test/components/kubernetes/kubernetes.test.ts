import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { requireComponent } from '../index.js';
import { deployment } from './objects.js';
import { ApiError, kubernetesComponent, ownOf, requestsTo, startKubernetes, type Cluster, type KubernetesObject } from './index.js';

const describeKubernetes = await requireComponent(kubernetesComponent);

describeKubernetes('the cluster that suites run on', () => {
  let cluster: Cluster;
  const namespace = `muster-test-${process.pid}`;
  beforeAll(async () => {
    cluster = await startKubernetes();
    await cluster.request('POST', '/api/v1/namespaces', { metadata: { name: namespace } });
  });
  afterAll(async () => {
    await cluster?.request('DELETE', `/api/v1/namespaces/${namespace}`).catch(() => undefined);
    await cluster?.stop();
  });

  const pods = async (): Promise<KubernetesObject[]> => (await cluster.request('GET', `/api/v1/namespaces/${namespace}/pods`)).items ?? [];
  const nodeOf = (pod: KubernetesObject) => String(pod.spec?.['nodeName']);
  const isReady = ({ status }: KubernetesObject) => ((status?.['conditions'] ?? []) as { type: string; status: string }[]).some((condition) => condition.type === 'Ready' && condition.status === 'True');

  test('it has nodes in two zones, and runs the pods of a deployment on both', async () => {
    expect(new Set(cluster.nodes.map(({ zone }) => zone)).size).toBeGreaterThan(1);
    await cluster.request('POST', `/apis/apps/v1/namespaces/${namespace}/deployments`, deployment('web', { replicas: 4 }));
    await expect.poll(async () => (await pods()).filter(isReady).length, { timeout: 30_000 }).toBe(4);
    expect(new Set((await pods()).map(nodeOf)).size).toBeGreaterThan(1);
  });

  test('who did what, and when to the microsecond, is in the audit log', async (context) => {
    const own = ownOf(cluster, context, 'the audit log is read');
    const alice = await requestsTo(cluster.kubeconfigOf('alice'));
    await alice('PATCH', `/apis/apps/v1/namespaces/${namespace}/deployments/web`, { metadata: { annotations: { 'drill/by': 'alice' } } });
    const entries = readFileSync(own.auditLog, 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line) as { user: { username: string }; verb: string; objectRef?: { name?: string }; requestReceivedTimestamp: string });
    const [entry] = entries.filter(({ user, verb }) => user.username === 'alice' && verb === 'patch');
    expect(entry?.objectRef?.name).toBe('web');
    expect(entry?.requestReceivedTimestamp).toMatch(/\.\d{6}Z$/);
  });

  test('it takes custom resources', async () => {
    const schema = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
    await cluster.request('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', {
      metadata: { name: 'things.muster.invalid' },
      spec: { group: 'muster.invalid', scope: 'Namespaced', names: { plural: 'things', singular: 'thing', kind: 'Thing' }, versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: schema } }] },
    });
    const things = `/apis/muster.invalid/v1/namespaces/${namespace}/things`;
    const made = () => cluster.request('POST', things, { apiVersion: 'muster.invalid/v1', kind: 'Thing', metadata: { generateName: 'a-', labels: { a: '1', b: '2' } }, spec: { c: { d: [1, { e: 'f' }] } } }).then(({ spec }) => spec, () => undefined);
    await expect.poll(made, { timeout: 30_000 }).toEqual({ c: { d: [1, { e: 'f' }] } });
    await cluster.request('DELETE', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/things.muster.invalid');
  });

  test('rights are those of roles, and a token ends when it says', async (context) => {
    const own = ownOf(cluster, context, 'a user with few rights is needed');
    const drill = await requestsTo(cluster.kubeconfigOf('drill'));
    await expect(drill('GET', `/api/v1/namespaces/${namespace}/pods`)).rejects.toThrow(/"system:|muster-drill/);
    await cluster.request('POST', `/api/v1/namespaces/${namespace}/serviceaccounts`, { metadata: { name: 'drill' } });
    const token = await requestsTo(own.kubeconfigWith(await own.expiringToken(namespace, 'drill', 3)));
    const status = () => token('GET', '/apis/apps/v1').then(() => 200, (error: unknown) => (error instanceof ApiError ? error.status : 0));
    expect(await status()).toBe(200);
    await expect.poll(status, { timeout: 30_000 }).toBe(401);
  });

  test('the API server keeps its address and its objects when it is restarted', async (context) => {
    const own = ownOf(cluster, context, 'the API server is restarted');
    await own.restartApiServer(async () => {
      await expect(cluster.request('GET', '/readyz')).rejects.toThrow(/ECONNREFUSED/);
    });
    expect(await pods()).toHaveLength(4);
  });

  test('a node that was stopped is noticed, its pods are evicted and run elsewhere; started again, it is Ready', async (context) => {
    const own = ownOf(cluster, context, 'a node is stopped');
    await own.nodes.stop('hollow-a');
    const elsewhere = async () => (await pods()).filter((pod) => nodeOf(pod) === 'hollow-b' && isReady(pod)).length;
    await expect.poll(elsewhere, { timeout: 60_000, interval: 200 }).toBe(4);
    await own.nodes.start('hollow-a');
    await expect.poll(async () => (await pods()).length, { timeout: 60_000, interval: 200 }).toBe(4);
  }, 150_000);
});
