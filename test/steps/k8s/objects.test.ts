import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { runLabel } from '../../../src/engine/mark.js';
import { step as apply } from '../../../src/steps/k8s/apply.js';
import { step as remove } from '../../../src/steps/k8s/delete.js';
import { step as get } from '../../../src/steps/k8s/get.js';
import { step as patch } from '../../../src/steps/k8s/patch.js';
import { requireComponent } from '../../components/index.js';
import { kubernetesComponent, startKubernetes, type Cluster } from '../../components/kubernetes/index.js';
import { deployment } from '../../components/kubernetes/objects.js';
import { stepRig, type StepRig } from './rig.js';

const describeKubernetes = await requireComponent(kubernetesComponent);

describeKubernetes('steps on objects', () => {
  let cluster: Cluster;
  let rig: StepRig;
  let namespace: string;
  let volume: string;
  let tries = 0;
  const path = (kind: string, name = '') => `/api/v1/namespaces/${namespace}/${kind}${name === '' ? '' : `/${name}`}`;
  const configMap = (name: string, data: Record<string, string>) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data });
  const codeOf = (code: string) => expect.objectContaining({ code });

  beforeAll(async () => {
    cluster = await startKubernetes();
  });
  beforeEach(async () => {
    namespace = `muster-objects-${process.pid}-${(tries += 1)}`;
    volume = `${namespace}-pv`;
    await cluster.request('POST', '/api/v1/namespaces', { metadata: { name: namespace } });
    rig = stepRig(cluster, { namespace, clusterScoped: [`persistentvolumes/${volume}`] });
    return () => cluster.request('DELETE', `/api/v1/namespaces/${namespace}`);
  });
  afterAll(() => cluster?.stop());

  test('what a drill applies bears its label, and goes with it', async () => {
    const manifest = { ...deployment('made', { replicas: 1 }), apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'made' } };
    expect(await rig.preflight(apply, { manifest })).toMatchObject([{ result: 'passed' }]);
    expect(await rig.run(apply, { manifest })).toMatchObject({ created: true, name: 'made' });
    await expect.poll(async () => (await cluster.request('GET', `${path('pods')}?labelSelector=${runLabel}=${rig.runId}`)).items?.length, { timeout: 30_000 }).toBe(1);
    await rig.cleanUp(apply);
    expect((await cluster.request('GET', `${path('pods')}?labelSelector=${runLabel}=${rig.runId}`)).items).toEqual([]);
    await expect(cluster.request('GET', `/apis/apps/v1/namespaces/${namespace}/deployments/made`)).rejects.toThrow(/404/);
  });

  test('an object of somebody else is not taken over, nor deleted in place of ours', async () => {
    await cluster.request('POST', path('configmaps'), configMap('theirs', { a: '1' }));
    expect(await rig.preflight(apply, { manifest: configMap('theirs', { a: '2' }) })).toMatchObject([{ result: 'failed', detail: expect.stringMatching(/is there already.*ifExists/s) }]);
    await expect(rig.run(apply, { manifest: configMap('theirs', { a: '2' }) })).rejects.toEqual(codeOf('k8s-exists'));
    expect(rig.cleanups).toEqual([]);
    await rig.run(apply, { manifest: configMap('ours', { a: '1' }) });
    // Somebody replaces it by one of the same name.
    await cluster.request('DELETE', path('configmaps', 'ours'));
    await cluster.request('POST', path('configmaps'), configMap('ours', { a: 'theirs' }));
    await rig.cleanUp(apply);
    expect(await cluster.request('GET', path('configmaps', 'ours'))).toMatchObject({ data: { a: 'theirs' } });
  });

  test('what an object had before comes back: by apply, by patch', async () => {
    await cluster.request('POST', path('configmaps'), { ...configMap('kept', { a: '1', b: '2' }), metadata: { name: 'kept', labels: { tier: 'gold' } } });
    const before = await cluster.request<{ data: object; metadata: { labels: object } }>('GET', path('configmaps', 'kept'));
    await rig.run(apply, { manifest: configMap('kept', { a: 'drill', c: '3' }), ifExists: 'update', force: true });
    await rig.run(patch, { kind: 'cm', name: 'kept', patch: { metadata: { labels: { tier: null, drill: 'yes' } }, data: { b: 'drill' } } });
    expect(await cluster.request('GET', path('configmaps', 'kept'))).toMatchObject({ data: { a: 'drill', b: 'drill', c: '3' }, metadata: { labels: { drill: 'yes' } } });
    await rig.cleanUp(patch);
    const after = await cluster.request<{ data: object; metadata: { labels: object } }>('GET', path('configmaps', 'kept'));
    expect([after.data, after.metadata.labels]).toEqual([before.data, before.metadata.labels]);
    expect(await rig.run(patch, { kind: 'cm', name: 'kept', patch: { data: { a: '1' } } })).toMatchObject({ changed: false });
    expect(rig.cleanups).toEqual([]);
  });

  test("the volume behind a PersistentVolume cannot be patched: the server's rejection is in the plan, with the step that works", async () => {
    await cluster.request('POST', '/api/v1/persistentvolumes', { metadata: { name: volume }, spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], csi: { driver: 'ebs.csi.aws.com', volumeHandle: 'vol-1' } } });
    const input = { kind: 'pv', name: volume, patch: { spec: { csi: { volumeHandle: 'vol-2' } } } };
    expect(await rig.preflight(patch, input)).toMatchObject([{ result: 'failed', detail: expect.stringMatching(/immutable after creation.*pv\.swap/s) }]);
    await expect(rig.run(patch, input)).rejects.toEqual(expect.objectContaining({ code: 'k8s-rejected', hint: expect.stringMatching(/pv\.swap/) }));
    await cluster.request('DELETE', `/api/v1/persistentvolumes/${volume}`);
  });

  test('a plan defers what is not there yet, or not known', async () => {
    expect(await rig.preflight(patch, { kind: 'cm', name: 'later', patch: { data: {} } })).toMatchObject([{ result: 'deferred' }]);
    expect(await rig.preflight(remove, { kind: 'cm', name: { unknown: 'steps.x.name' } })).toMatchObject([{ result: 'deferred' }]);
    expect(await rig.preflight(apply, { manifest: { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'wrong' }, spec: { replicas: 'many' } } })).toMatchObject([{ result: 'failed' }]);
  });

  test('an object is deleted by its identity, with its finalizers waited for', async () => {
    await cluster.request('POST', path('configmaps'), { ...configMap('held', {}), metadata: { name: 'held', finalizers: ['example.org/held'] } });
    const { uid } = (await cluster.request('GET', path('configmaps', 'held'))).metadata;
    await expect(rig.run(remove, { kind: 'cm', name: 'held', uid: '6b3a27c4-0000-0000-0000-000000000000' })).rejects.toThrow(/another object/);
    const deleted = rig.run(remove, { kind: 'cm', name: 'held' });
    await expect.poll(async () => (await cluster.request('GET', path('configmaps', 'held'))).metadata.deletionTimestamp).toBeDefined();
    await cluster.request('PATCH', path('configmaps', 'held'), { metadata: { finalizers: null } });
    expect(await deleted).toEqual({ uid });
    await expect(rig.run(remove, { kind: 'cm', name: 'held' })).rejects.toEqual(codeOf('k8s-not-found'));
    expect(await rig.run(remove, { kind: 'cm', name: 'held', ifMissing: 'pass' })).toEqual({ uid: null });
  });

  test('values are read by JSONPath, and those of Secrets never', async () => {
    await cluster.request('POST', path('configmaps'), configMap('kept', { b: '2' }));
    await cluster.request('POST', path('secrets'), { metadata: { name: 'app', annotations: { 'kubectl.kubernetes.io/last-applied-configuration': 'c2VjcmV0' } }, type: 'Opaque', stringData: { password: 'hunter2' } });
    expect(await rig.run(get, { kind: 'cm', name: 'kept', values: { b: '{.data.b}' } })).toMatchObject({ values: { b: '2' } });
    expect(await rig.run(get, { kind: 'Secret', name: 'app', values: { type: '.type' } })).toMatchObject({ values: { type: 'Opaque' } });
    for (const values of [{ password: '{.data.password}' }, { copy: '{.metadata.annotations}' }]) await expect(rig.run(get, { kind: 'Secret', name: 'app', values })).rejects.toEqual(codeOf('k8s-no-value'));
    await expect(rig.run(patch, { kind: 'Secret', name: 'app', patch: { stringData: { password: 'other' } } })).rejects.toEqual(codeOf('k8s-secret'));
    expect(JSON.stringify(rig.cleanups)).not.toContain('aHVudGVyMg');
  });
});
