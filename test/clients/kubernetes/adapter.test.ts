import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { kubernetesPort, kubernetesShared } from '../../../src/clients/kubernetes/adapter.js';
import type { KubernetesCluster, KubernetesObject, WatchEvent } from '../../../src/clients/kubernetes/port.js';
import { requireComponent } from '../../components/index.js';
import { guardOf, worldOf } from '../../components/kubernetes/connection.js';
import { kubernetesComponent, ownOf, startKubernetes, type Cluster } from '../../components/kubernetes/index.js';
import { deployment, disruptionBudget } from '../../components/kubernetes/objects.js';
import { scopeFor, type RecordingScope } from '../lib/scope.js';

const describeKubernetes = await requireComponent(kubernetesComponent);

const configMap = (name: string, data: Record<string, string> = {}) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data });
const until = (ms: number) => AbortSignal.timeout(ms);
const codeOf = (code: string) => expect.objectContaining({ code });

describeKubernetes('a cluster through the port', () => {
  let cluster: Cluster;
  let namespace: string;
  let tries = 0;
  const inside = () => ({ context: cluster.context, uid: cluster.uid, namespaces: [namespace], cluster: ['nodes', 'persistentvolumes/muster-*'] });
  const connected = (): { k8s: KubernetesCluster; scope: RecordingScope } => {
    const world = worldOf(cluster, { namespace });
    const scope = scopeFor(guardOf(world, [inside()]));
    return { scope, k8s: kubernetesPort(scope, world, kubernetesShared()).cluster('k8s') };
  };

  beforeAll(async () => {
    cluster = await startKubernetes();
  });
  beforeEach(async () => {
    namespace = `muster-port-${process.pid}-${(tries += 1)}`;
    await cluster.request('POST', '/api/v1/namespaces', { metadata: { name: namespace } });
    return () => cluster.request('DELETE', `/api/v1/namespaces/${namespace}`);
  });
  afterAll(() => cluster?.stop());

  test('kinds are found by the names that kubectl takes, in the version that the server prefers', async () => {
    const { k8s } = connected();
    for (const kind of ['deploy', 'Deployment', 'deployments', 'deployments.apps']) expect(await k8s.resource({ kind })).toMatchObject({ apiVersion: 'apps/v1', plural: 'deployments', namespaced: true });
    expect(await k8s.resource({ kind: 'ingress' })).toMatchObject({ apiVersion: 'networking.k8s.io/v1' });
    expect(await k8s.resource({ kind: 'pv' })).toMatchObject({ namespaced: false });
    await expect(k8s.resource({ kind: 'Deployment', apiVersion: 'apps/v9' })).rejects.toThrow(/apps\/v9/);
    await expect(k8s.resource({ kind: 'Deployment', apiVersion: 'apps/v9' })).rejects.toEqual(expect.objectContaining({ hint: 'It has the kind in: apps/v1.' }));
    const { resources } = await k8s.resources();
    expect(new Set(resources.map(({ group, kind }) => `${group}/${kind}`)).size).toBe(resources.length);
  });

  test('an object is applied, read, patched and deleted by its identity, and a dry run keeps nothing', async () => {
    const { k8s, scope } = connected();
    await k8s.apply(configMap('one', { a: '1' }), { dryRun: true });
    expect(await k8s.find({ kind: 'ConfigMap', name: 'one' })).toBeUndefined();
    expect(scope.passed.every(({ effect }) => effect === 'read')).toBe(true);
    const made = await k8s.apply(configMap('one', { a: '1' }));
    expect(await k8s.get({ kind: 'cm', name: 'one' }, { managedFields: true })).toMatchObject({ data: { a: '1' }, metadata: { managedFields: [{ manager: 'muster', operation: 'Apply' }] } });
    expect(scope.passed).toContainEqual({ effect: 'create', target: { kind: 'kubernetes', connection: 'k8s', role: 'target', context: cluster.context, server: cluster.server, uid: cluster.uid, resource: 'configmaps', namespace, name: 'one' } });
    await k8s.patch({ kind: 'ConfigMap', name: 'one' }, { data: { b: '2' } }, { uid: made.metadata.uid ?? '' });
    expect((await k8s.get({ kind: 'ConfigMap', name: 'one' }))['data']).toEqual({ a: '1', b: '2' });
    await expect(k8s.patch({ kind: 'ConfigMap', name: 'one' }, { data: { b: '3' } }, { uid: '6b3a27c4-0000-0000-0000-000000000000' })).rejects.toEqual(codeOf('k8s-conflict'));
    await expect(k8s.delete({ kind: 'ConfigMap', name: 'one' }, { uid: '6b3a27c4-0000-0000-0000-000000000000' })).rejects.toEqual(codeOf('k8s-conflict'));
    await expect(k8s.create(configMap('one'))).rejects.toEqual(codeOf('k8s-exists'));
    expect(await k8s.delete({ kind: 'ConfigMap', name: 'one' }, { uid: made.metadata.uid ?? '' })).toBe(true);
    expect(await k8s.delete({ kind: 'ConfigMap', name: 'one' })).toBe(false);
    await expect(k8s.get({ kind: 'ConfigMap', name: 'one' })).rejects.toEqual(codeOf('k8s-not-found'));
  });

  test("the server's own words come back: fields of another manager, an immutable volume source", async () => {
    const { k8s } = connected();
    await cluster.request('PATCH', `/api/v1/namespaces/${namespace}/configmaps/two?fieldManager=kubectl&force=true`, configMap('two', { a: 'theirs' }), 'application/apply-patch+yaml');
    await expect(k8s.apply(configMap('two', { a: 'ours' }))).rejects.toThrow(/conflict with "kubectl"/);
    const name = `muster-${namespace}`;
    const volume = { apiVersion: 'v1', kind: 'PersistentVolume', metadata: { name }, spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], csi: { driver: 'ebs.csi.aws.com', volumeHandle: 'vol-1' } } };
    await k8s.apply(volume);
    await expect(k8s.patch({ kind: 'pv', name }, { spec: { csi: { volumeHandle: 'vol-2' } } }, { dryRun: true })).rejects.toThrow(/immutable after creation/);
    await k8s.delete({ kind: 'pv', name });
  });

  test('nothing is sent past the boundary: another namespace, an unnamed object of the cluster, another cluster', async () => {
    const { k8s, scope } = connected();
    await expect(k8s.list({ kind: 'Pod', namespace: 'kube-system' })).rejects.toThrow(/namespace kube-system is outside the boundary/);
    await expect(k8s.delete({ kind: 'pv', name: 'somebodys' })).rejects.toThrow(/must be named in the boundary.*persistentvolumes\/somebodys/);
    expect(scope.passed).toEqual([]);
    const elsewhere = worldOf(cluster, { namespace, details: { uid: '6b3a27c4-0000-0000-0000-000000000000' } });
    const other = kubernetesPort(scopeFor(), elsewhere, kubernetesShared()).cluster('k8s');
    await expect(other.apply(configMap('three'))).rejects.toEqual(codeOf('k8s-other-cluster'));
    expect(await k8s.find({ kind: 'ConfigMap', name: 'three' })).toBeUndefined();
    const production = worldOf(cluster, { namespace, role: 'production' });
    const locked = kubernetesPort(scopeFor(guardOf(production, [inside()])), production, kubernetesShared()).cluster('k8s');
    await expect(locked.apply(configMap('three'))).rejects.toThrow(/read-only/);
    await k8s.apply(configMap('three'));
    expect((await locked.list({ kind: 'ConfigMap' })).items.length).toBeGreaterThan(0);
  });

  test('replicas, pods and evictions within a disruption budget', async () => {
    const { k8s } = connected();
    await k8s.apply({ ...deployment('web', { replicas: 2 }), apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web' } });
    const available = (object: KubernetesObject | undefined) => ((object?.['status'] as { readyReplicas?: number } | undefined)?.readyReplicas === 2 ? object : undefined);
    await k8s.until({ kind: 'Deployment', name: 'web' }, available, until(60_000));
    await cluster.request('POST', `/apis/policy/v1beta1/namespaces/${namespace}/poddisruptionbudgets`, disruptionBudget('web', 2));
    await k8s.until({ kind: 'pdb', name: 'web' }, (object) => ((object?.['status'] as { currentHealthy?: number } | undefined)?.currentHealthy === 2 ? true : undefined), until(60_000));
    const [pod] = (await k8s.list({ kind: 'Pod', namespace }, { labelSelector: 'app=web' })).items;
    await expect(k8s.evict({ name: pod?.metadata.name ?? '' })).rejects.toEqual(codeOf('k8s-disruption-budget'));
    await k8s.delete({ kind: 'pdb', name: 'web' });
    expect(await k8s.evict({ name: pod?.metadata.name ?? '' }, { uid: pod?.metadata.uid ?? '' })).toBe(true);
    expect(await k8s.scale({ kind: 'Deployment', name: 'web' }, 0)).toEqual({ before: 2 });
    await expect(k8s.scale({ kind: 'Deployment', name: 'web' }, 2, { from: 1 })).rejects.toEqual(codeOf('k8s-conflict'));
    const empty = await k8s.until({ kind: 'Deployment', name: 'web' }, (object) => ((object?.['status'] as { replicas?: number } | undefined)?.replicas === undefined ? true : undefined), until(60_000));
    expect(empty).toBe(true);
  });

  test('a watch goes on while the API server restarts, and says where something may have been missed', async (context) => {
    const own = ownOf(cluster, context, 'the API server is restarted');
    const { k8s } = connected();
    const ended = new AbortController();
    const seen: WatchEvent[] = [];
    const watching = (async () => {
      for await (const event of k8s.watch({ kind: 'ConfigMap' }, { labelSelector: 'watched=yes' }, ended.signal)) seen.push(event);
    })();
    const named = (name: string) => seen.find((event) => event.type === 'added' && event.object.metadata.name === name);
    await expect.poll(() => seen[0]?.type).toBe('listed');
    const make = (name: string) => k8s.create({ ...configMap(name), metadata: { name, labels: { watched: 'yes' } } });
    await make('before');
    await expect.poll(() => named('before')).toBeDefined();
    const restart = own.restartApiServer();
    await expect.poll(() => seen.some(({ type }) => type === 'interrupted'), { timeout: 30_000 }).toBe(true);
    await make('after');
    await restart;
    await expect.poll(() => named('after') ?? seen.find((event) => event.type === 'listed' && event.items.some(({ metadata }) => metadata.name === 'after')), { timeout: 30_000 }).toBeDefined();
    ended.abort();
    await watching;
    // Either the server went on from where it was, or it said that it cannot.
    expect(seen.map(({ type }) => type).filter((type) => type === 'resumed' || type === 'gap').length).toBeGreaterThan(0);
  }, 60_000);

  test('custom resources are read and rights are kept while the API server restarts', async (context) => {
    const own = ownOf(cluster, context, 'the API server is restarted');
    const group = `${namespace}.muster.invalid`;
    const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
    const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } };
    await cluster.request('POST', definitions, { metadata: { name: `things.${group}` }, spec: { group, scope: 'Namespaced', names: { plural: 'things', singular: 'thing', kind: 'Thing' }, versions: [{ name: 'v1', served: true, storage: true, schema }] } });
    const rules = [{ apiGroups: [group], resources: ['things'], verbs: ['*'] }, { apiGroups: [''], resources: ['namespaces'], verbs: ['get'] }];
    await cluster.request('POST', '/apis/rbac.authorization.k8s.io/v1/clusterroles', { metadata: { name: group }, rules });
    await cluster.request('POST', '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', { metadata: { name: group }, subjects: [{ kind: 'User', name: 'muster-drill' }], roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: group } });
    const world = worldOf(cluster, { namespace, kubeconfig: cluster.kubeconfigOf('drill') });
    const another = () => kubernetesPort(scopeFor(), world, kubernetesShared()).cluster('k8s');
    const k8s = another();
    const kind = `things.${group}`;
    await expect.poll(() => k8s.list({ kind }).then(({ items }) => items, () => undefined), { timeout: 30_000 }).toEqual([]);
    await k8s.create({ apiVersion: `${group}/v1`, kind: 'Thing', metadata: { name: 'one' } });
    const over = new AbortController();
    const question = (resource: string) => ({ verb: 'list', group: resource === 'things' ? group : '', resource, namespace });
    const asking: readonly ((each: KubernetesCluster) => Promise<unknown>)[] = [
      async (each) => expect((await each.list({ kind })).items).toHaveLength(1),
      async (each) => expect(await each.find({ kind, name: 'one' })).toBeDefined(),
      async (each) => expect(await each.find({ kind, name: 'two' })).toBeUndefined(),
      async (each) => expect(await each.denied([question('things'), question('secrets')])).toMatchObject([{ question: { resource: 'secrets' } }]),
    ];
    // Also by one that knows nothing of the server yet.
    const all = asking.flatMap((ask) => [() => ask(k8s), () => ask(another())]).map(async (ask) => {
      while (!over.signal.aborted) await ask();
    });
    const restarted = own.restartApiServer().finally(() => over.abort());
    await Promise.all([...all, restarted]);
    await expect(k8s.list({ kind: 'Secret' })).rejects.toEqual(codeOf('k8s-forbidden'));
    await cluster.request('DELETE', `${definitions}/things.${group}`);
    const gone = () => k8s.list({ kind }).then(() => undefined, (error: unknown) => error);
    await expect.poll(gone, { timeout: 30_000 }).toEqual(expect.objectContaining({ code: 'k8s-no-such-kind', hint: expect.stringMatching(/CustomResourceDefinition/) }));
    await expect(another().list({ kind })).rejects.toEqual(codeOf('k8s-no-such-kind'));
  }, 120_000);

  test('an old place in the history is a gap, and everything is listed anew', async (context) => {
    ownOf(cluster, context, 'the API server has been restarted, and knows nothing older');
    const { k8s } = connected();
    const ended = new AbortController();
    const seen: WatchEvent[] = [];
    for await (const event of k8s.watch({ kind: 'ConfigMap' }, { from: '1' }, ended.signal)) {
      seen.push(event);
      if (event.type === 'listed') ended.abort();
    }
    expect(seen.map(({ type }) => type)).toEqual(['gap', 'listed']);
  });

  test('what the nodes of the test cluster cannot run is refused with a reason', async (context) => {
    ownOf(cluster, context, 'nodes that run no containers are needed');
    const { k8s } = connected();
    await k8s.apply({ ...deployment('web'), apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web' } });
    const pods = async () => (await k8s.list({ kind: 'Pod' }, { labelSelector: 'app=web', fieldSelector: 'status.phase=Running' })).items;
    await expect.poll(async () => (await pods()).length, { timeout: 30_000 }).toBeGreaterThan(0);
    const [pod] = await pods();
    await expect(k8s.exec({ name: pod?.metadata.name ?? '' }, ['true'], { effect: 'read' }, until(20_000))).rejects.toEqual(codeOf('k8s-exec-failed'));
    await expect(k8s.exec({ name: 'nobody' }, ['true'], { effect: 'read' }, until(20_000))).rejects.toThrow(/no such pod/);
  });
});
