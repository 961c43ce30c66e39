import { afterAll, beforeAll, expect, test } from 'vitest';
import { requireComponent } from '../components/index.js';
import { kubernetesComponent, startKubernetes, type Cluster } from '../components/kubernetes/index.js';
import { removeFolders } from './harness.js';
import { startShop, type Shop } from './kubernetes-rig.js';

const describeKubernetes = await requireComponent(kubernetesComponent);

describeKubernetes('a pod dies', () => {
  let cluster: Cluster;
  let shop: Shop;
  beforeAll(async () => {
    cluster = await startKubernetes();
    shop = await startShop(cluster, `muster-pod-${process.pid}`);
  });
  afterAll(async () => {
    await shop?.stop();
    await cluster?.stop();
    await removeFolders();
  });

  test('another one takes its place: passed, and the time counts until all replicas are ready', async () => {
    const judged = await shop.drill('pod-failure');
    expect(judged.drill.reasons).toEqual([]);
    expect(judged.drill.verdict).toBe('passed');
    expect(judged.drill.rto.status).toBe('met');
    const killed = judged.of('step.finished').find(({ step }) => step === 'kill')?.data.output;
    const names = ((await cluster.request('GET', `/api/v1/namespaces/${shop.namespace}/pods`)).items ?? []).map(({ metadata }) => metadata.name);
    expect(names).toHaveLength(3);
    expect(killed).toMatchObject({ pod: expect.any(String), ready: 3 });
    expect(names).not.toContain((killed as { pod: string }).pod);
  });
});
