import { afterAll, beforeAll, expect, test } from 'vitest';
import { requireOwnKubernetes, requestsTo, startKubernetes, type Cluster, type Request } from '../components/kubernetes/index.js';
import type { Environment } from '../../src/engine/documents.js';
import { removeFolders, type LiveDrill } from './harness.js';
import { startShop, type Shop, type ShopDrill } from './kubernetes-rig.js';

const describeKubernetes = await requireOwnKubernetes('several users change things');

describeKubernetes('what others do to the objects of a drill', () => {
  let cluster: Cluster;
  let shop: Shop;
  let alice: Request;
  let namespace = '';
  beforeAll(async () => {
    cluster = await startKubernetes();
    namespace = `muster-watched-${process.pid}`;
    shop = await startShop(cluster, namespace);
    alice = await requestsTo(cluster.kubeconfigOf('alice'));
    await cluster.request('POST', `/api/v1/namespaces/${namespace}/configmaps`, { metadata: { name: 'prices' }, data: { bread: '1' } });
  });
  afterAll(async () => {
    await shop?.stop();
    await cluster?.stop();
    await removeFolders();
  });

  const watching = (withInput: Record<string, unknown> = {}): Pick<ShopDrill, 'environment'> => ({
    environment(environment: Environment) {
      environment.watch = { required: ['k8s'], profiles: ['kubernetes'], settle: '1s', with: { k8s: withInput } };
    },
  });
  const whileItRuns = (work: () => Promise<unknown>) => async (live: LiveDrill) => {
    await live.until((event) => event.type === 'step.finished' && event.step === 'gone');
    await work();
  };
  const apps = () => `/apis/apps/v1/namespaces/${namespace}`;
  const core = () => `/api/v1/namespaces/${namespace}`;

  test('nobody did anything: passed, and what Kubernetes itself did is told apart', async () => {
    const judged = await shop.drill('pod-failure', watching());
    expect(judged.drill.reasons).toEqual([]);
    expect(judged.drill.verdict).toBe('passed');
    expect(judged.of('watch.ended')[0]?.data.checks).toBeGreaterThan(5);
    const seen = judged.of('watch.observed').map(({ data }) => data);
    expect(seen.some(({ ours, object, change }) => ours && /pod .*\/web-/.test(object) && change === 'marked for deletion')).toBe(true);
    expect(seen.some(({ allowedBy, change }) => allowedBy === 'kubernetes: Controllers make what their owners ask for' && change === 'created')).toBe(true);
    expect(judged.drill.notProved.join('\n')).toContain('kubectl exec, attach and port-forward');
  });

  test.each([
    ['annotates', () => alice('PATCH', `${apps()}/deployments/web?fieldManager=kubectl-annotate`, { metadata: { annotations: { by: 'hand' } } }), /deployment \S+\/web: changed metadata\.annotations\.by by kubectl-annotate/],
    ['edits', () => alice('PATCH', `${core()}/configmaps/prices?fieldManager=kubectl-edit`, { data: { bread: '2' } }), /configmap \S+\/prices: changed data\.bread by kubectl-edit/],
    ['scales', () => alice('PATCH', `${apps()}/deployments/web/scale?fieldManager=kubectl`, { spec: { replicas: 4 } }), /deployment \S+\/web: changed spec\.replicas/],
    ['patches', () => alice('PATCH', `${apps()}/deployments/web?fieldManager=kubectl-patch`, { spec: { revisionHistoryLimit: 7 } }), /deployment \S+\/web: changed spec\.revisionHistoryLimit by kubectl-patch/],
    ['deletes', () => alice('DELETE', `${core()}/configmaps/prices`), /configmap \S+\/prices: deleted/],
  ] as const)('somebody %s: undocumented-change, by name', async (_, work, detail) => {
    const judged = await shop.drill('pod-failure', { ...watching(), beside: whileItRuns(work) });
    expect(judged.drill.verdict).toBe('failed');
    const undocumented = judged.drill.reasons.filter(({ code }) => code === 'undocumented-change').map((reason) => reason.detail);
    expect(undocumented.join('\n')).toMatch(detail);
    await shop.patch({ spec: { replicas: 3 } });
  });
});
