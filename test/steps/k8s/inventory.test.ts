import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { packageRoot } from '../../../src/engine/package-root.js';
import { step as inventory } from '../../../src/steps/k8s/inventory.js';
import { requireComponent } from '../../components/index.js';
import { kubernetesComponent, ownOf, startKubernetes, type Cluster } from '../../components/kubernetes/index.js';
import { deployment, service } from '../../components/kubernetes/objects.js';
import { stepRig } from './rig.js';

const describeKubernetes = await requireComponent(kubernetesComponent);
const many = 2000;

describeKubernetes('an inventory', () => {
  let cluster: Cluster;
  const made: string[] = [];

  const empty = async (): Promise<string> => {
    const namespace = `muster-inventory-${process.pid}-${made.length}`;
    made.push(namespace);
    await cluster.request('POST', '/api/v1/namespaces', { metadata: { name: namespace } });
    return namespace;
  };
  const filled = async (): Promise<string> => {
    const namespace = await empty();
    const core = `/api/v1/namespaces/${namespace}`;
    await cluster.request('POST', `/apis/apps/v1/namespaces/${namespace}/deployments`, deployment('web', { replicas: 1 }));
    await cluster.request('POST', `${core}/services`, service('web'));
    await cluster.request('POST', `${core}/secrets`, { metadata: { name: 'app' }, stringData: { user: 'app', password: 'hunter2' } });
    await cluster.request('POST', `${core}/configmaps`, { metadata: { name: 'settings' }, data: { mode: 'fast' } });
    await cluster.request('POST', `${core}/persistentvolumeclaims`, { metadata: { name: 'data' }, spec: { accessModes: ['ReadWriteOnce'], storageClassName: 'none', resources: { requests: { storage: '1Gi' } } } });
    return namespace;
  };

  beforeAll(async () => {
    cluster = await startKubernetes();
  });
  afterAll(async () => {
    for (const namespace of made) await cluster?.request('DELETE', `/api/v1/namespaces/${namespace}`).catch(() => undefined);
    await cluster?.stop();
  });

  test('is the same for the same content in another namespace, and shows no value of a Secret', async () => {
    const namespace = await filled();
    const [a, b] = [stepRig(cluster, { namespace }), stepRig(cluster, { namespace: await filled() })];
    const found = await a.run(inventory, {});
    expect(found).toMatchObject({ counts: { deployment: 1, service: 1, secret: 1, configmap: 1, persistentvolumeclaim: 1 }, objects: 5 });
    expect(await b.run(inventory, { expect: found['inventory'] })).toMatchObject({ digest: found['digest'] });
    expect(a.told).toContainEqual(['evidence namespace-inventory', expect.objectContaining({ namespace, cluster: cluster.uid, objects: expect.arrayContaining([expect.objectContaining({ object: 'secret app', keys: ['password', 'user'] })]) })]);
    expect(JSON.stringify(a.told)).not.toMatch(/hunter2|aHVudGVyMg/);
  });

  test('names what is missing, differs or is not expected', async () => {
    const namespace = await filled();
    const b = stepRig(cluster, { namespace });
    const expected = (await b.run(inventory, {}))['inventory'];
    await cluster.request('PATCH', `/api/v1/namespaces/${namespace}/configmaps/settings`, { data: { mode: 'slow' } });
    await cluster.request('DELETE', `/api/v1/namespaces/${namespace}/services/web`);
    await cluster.request('POST', `/api/v1/namespaces/${namespace}/configmaps`, { metadata: { name: 'new' }, data: {} });
    await expect(b.run(inventory, { expect: expected })).rejects.toThrow('service web is missing, configmap settings differs, configmap new is not expected');
    expect(b.told.at(-1)).toMatchObject(['evidence namespace-inventory', { compared: { missing: ['service web'], changed: ['configmap settings'], added: ['configmap new'] } }]);
    await expect(b.run(inventory, { expect: [{ object: 'configmap new' }], extra: 'allow' })).resolves.toBeDefined();
    // A new value of a Secret is not to be seen; a new key is.
    const secrets = async () => ((await b.run(inventory, {}))['inventory'] as { object: string; digest: string }[]).find(({ object }) => object === 'secret app')?.digest;
    const before = await secrets();
    await cluster.request('PATCH', `/api/v1/namespaces/${namespace}/secrets/app`, { stringData: { password: 'other' } });
    expect(await secrets()).toBe(before);
    await cluster.request('PATCH', `/api/v1/namespaces/${namespace}/secrets/app`, { stringData: { token: 'x' } });
    expect(await secrets()).not.toBe(before);
  });

  test(`of ${many} objects takes less than three seconds, and little memory with all of them watched`, async (context) => {
    ownOf(cluster, context, '2,000 objects are made');
    const namespace = await empty();
    const make = (n: number) => cluster.request('POST', `/api/v1/namespaces/${namespace}/configmaps`, { metadata: { name: `map-${n}`, labels: { app: 'many', n: String(n) } }, data: { text: 'x'.repeat(1000) } });
    for (let n = 0; n < many; n += 50) await Promise.all(Array.from({ length: 50 }, (_, index) => make(n + index)));
    const rig = stepRig(cluster, { namespace });
    await rig.k8s.version();
    const timed = async (work: () => Promise<unknown>): Promise<number> => {
      const began = performance.now();
      await work();
      return performance.now() - began;
    };
    const once = await timed(() => cluster.request('GET', `/api/v1/namespaces/${namespace}/configmaps`));
    const took = await timed(async () => expect(await rig.run(inventory, {})).toMatchObject({ objects: many }));
    // Where a machine is slow or busy: compared with only reading them, at the same time.
    expect(took).toBeLessThan(Math.max(3_000, 20 * once));
    const details = { kubeconfig: [cluster.kubeconfig], context: cluster.context, server: cluster.server, uid: cluster.uid, namespace };
    const { stdout } = await promisify(execFile)(process.execPath, [join(packageRoot(), 'test/steps/k8s/watch-many.mjs'), JSON.stringify(details), String(many)], { timeout: 60_000 });
    expect(JSON.parse(stdout)).toMatchObject({ watched: many });
    const { rssMiB } = JSON.parse(stdout) as { rssMiB: number };
    console.log(`inventory of ${many} objects: ${Math.round(took)} ms, where reading them took ${Math.round(once)} ms; watched: ${Math.round(rssMiB)} MiB`);
    // 260 MB.
    expect(rssMiB).toBeLessThan(248);
  }, 180_000);
});
