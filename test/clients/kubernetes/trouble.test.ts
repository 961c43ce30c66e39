import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { kubernetesPort, kubernetesShared } from '../../../src/clients/kubernetes/adapter.js';
import type { KubernetesCluster, WatchEvent } from '../../../src/clients/kubernetes/port.js';
import type { Scope } from '../../../src/engine/scope.js';
import { between, type Between } from '../../components/kubernetes/between.js';
import { changedKubeconfig, worldOf } from '../../components/kubernetes/connection.js';
import { kubernetesComponent, ownOf, startKubernetes, type ApiError, type Cluster } from '../../components/kubernetes/index.js';
import { requireComponent } from '../../components/index.js';
import { scopeFor } from '../lib/scope.js';

const describeKubernetes = await requireComponent(kubernetesComponent);
const configMap = (name: string, data: Record<string, string> = {}) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data });
const codeOf = (code: string) => expect.objectContaining({ code });

describeKubernetes('a cluster that has bad days', () => {
  let cluster: Cluster;
  let bad: Between;
  let tries = 0;
  let namespace: string;
  const through = (kubeconfig: string, scope: Scope = scopeFor(), server = cluster.server, secrets: string[] = []): KubernetesCluster =>
    kubernetesPort(scope, worldOf(cluster, { namespace, kubeconfig, details: { server } }), kubernetesShared({ add: (secret) => void secrets.push(secret) })).cluster('k8s');
  const badly = (scope?: Scope) => through(bad.kubeconfig, scope, bad.server);
  const maps = (method: string, path: string, of = 'GET') => method === of && path.includes('/configmaps');

  beforeAll(async () => {
    cluster = await startKubernetes();
    bad = await between(cluster);
  });
  beforeEach(async () => {
    namespace = `muster-trouble-${process.pid}-${(tries += 1)}`;
    await cluster.request('POST', '/api/v1/namespaces', { metadata: { name: namespace } });
  });
  afterEach(async () => {
    bad.forget();
    await cluster.request('DELETE', `/api/v1/namespaces/${namespace}`);
  });
  afterAll(async () => {
    await bad?.close();
    await cluster?.stop();
  });

  test('a server that throttles is given the time that it asks for', async () => {
    const k8s = badly();
    await k8s.list({ kind: 'ConfigMap' });
    const status = { kind: 'Status', reason: 'TooManyRequests', message: 'too many requests', code: 429 };
    bad.next(maps, { status: 429, headers: { 'retry-after': '1' }, body: status });
    const began = performance.now();
    await k8s.list({ kind: 'ConfigMap' });
    expect(performance.now() - began).toBeGreaterThanOrEqual(990);
  });

  test('what nobody knows to be done is done again only where twice is as good as once', async () => {
    const k8s = badly();
    bad.next((method, path) => maps(method, path, 'POST'), 'lost-after');
    await expect(k8s.create(configMap('once'))).rejects.toEqual(expect.objectContaining({ code: 'k8s-unreachable', retryable: true, message: expect.stringMatching(/may have been done/) }));
    expect(await k8s.find({ kind: 'ConfigMap', name: 'once' })).toBeDefined();
    bad.next((method, path) => maps(method, path, 'PATCH'), 'lost-after');
    await k8s.apply(configMap('twice', { a: '1' }));
    const { uid = '' } = (await k8s.get({ kind: 'ConfigMap', name: 'twice' })).metadata;
    bad.next((method, path) => maps(method, path, 'DELETE'), 'lost-after');
    await k8s.delete({ kind: 'ConfigMap', name: 'twice' }, { uid });
    expect(await k8s.find({ kind: 'ConfigMap', name: 'twice' })).toBeUndefined();
    bad.next(maps, 'lost-before');
    bad.next(maps, { status: 503, body: { kind: 'Status', message: 'apiserver is shutting down', code: 503 } });
    expect((await k8s.list({ kind: 'ConfigMap' })).items.length).toBeGreaterThan(0);
  });

  test('after a lost connection the cluster proves again that it is the same', async () => {
    const k8s = badly();
    await k8s.list({ kind: 'ConfigMap' });
    await k8s.apply(configMap('elsewhere'));
    bad.next((_, path) => path.endsWith('/namespaces/kube-system'), { status: 200, body: { kind: 'Namespace', metadata: { uid: 'of another cluster' } } });
    const before = bad.passed.length;
    bad.next((method, path) => maps(method, path, 'PATCH'), 'lost-before');
    await expect(k8s.apply(configMap('elsewhere', { a: '1' }))).rejects.toEqual(codeOf('k8s-other-cluster'));
    expect(bad.passed.slice(before).filter((line) => line.startsWith('PATCH'))).toEqual([]);
  });

  const forbidden = { status: 403, body: { kind: 'Status', reason: 'Forbidden', message: 'configmaps is forbidden', code: 403 } };
  const unserved = { status: 404, body: '404 page not found\n' };
  const notReady = { status: 500, body: '[+]ping ok\n[-]informer-sync failed: reason withheld\nreadyz check failed\n' };
  const isReadyz = (_: string, path: string) => path === '/readyz';

  test.each([['forbids', forbidden], ['does not serve', unserved]])('what a server %s before it is ready is asked for again when it is', async (_, answer) => {
    const k8s = badly();
    await k8s.apply(configMap('there'));
    bad.next(maps, answer);
    bad.next(isReadyz, notReady);
    bad.next(isReadyz, 'lost-before');
    expect((await k8s.list({ kind: 'ConfigMap' })).items.map(({ metadata }) => metadata.name)).toContain('there');
    // It had become ready between its answer and the question.
    bad.next(maps, answer);
    await k8s.list({ kind: 'ConfigMap' });
    bad.next((method, path) => maps(method, path, 'POST'), answer);
    bad.next(isReadyz, notReady);
    await k8s.create(configMap('new'));
  });

  test.each([['forbids', forbidden, 'k8s-forbidden'], ['does not serve', unserved, 'k8s-no-such-kind']])('what a ready server %s is told at once', async (_, answer, code) => {
    const k8s = badly();
    await k8s.list({ kind: 'ConfigMap' });
    const before = bad.passed.length;
    for (const __ of [1, 2]) bad.next(maps, answer);
    await expect(k8s.list({ kind: 'ConfigMap' })).rejects.toEqual(codeOf(code));
    expect(bad.passed.slice(before)).toEqual(['GET /readyz']);
  });

  test('where nobody may ask whether it is ready, what a server forbids is told at once, but not soon after it was lost', async () => {
    const k8s = badly();
    await k8s.list({ kind: 'ConfigMap' });
    for (const __ of [1, 2]) bad.next(maps, forbidden);
    bad.next(isReadyz, forbidden);
    await expect(badly().list({ kind: 'ConfigMap' })).rejects.toEqual(codeOf('k8s-forbidden'));
    bad.next(maps, 'lost-before');
    bad.next(maps, forbidden);
    bad.next(isReadyz, forbidden);
    await k8s.list({ kind: 'ConfigMap' });
  });

  test('an aggregated API that is away hides no other, and is named', async () => {
    const name = `v1.${namespace}.muster.invalid`;
    const group = name.slice('v1.'.length);
    await cluster.request('POST', '/apis/apiregistration.k8s.io/v1/apiservices', { metadata: { name }, spec: { group, version: 'v1', groupPriorityMinimum: 10, versionPriority: 10, insecureSkipTLSVerify: true, service: { namespace, name: 'nobody' } } });
    const status = async () => (await cluster.request('GET', `/apis/${group}/v1`).catch((error: unknown) => error)) as ApiError;
    await expect.poll(async () => (await status()).status, { timeout: 30_000 }).toBe(503);
    const { resources, unavailable } = await badly().resources();
    await cluster.request('DELETE', `/apis/apiregistration.k8s.io/v1/apiservices/${name}`);
    expect(unavailable).toEqual([`${group}/v1`]);
    expect(resources.map(({ kind }) => kind)).toContain('Deployment');
  });

  test('a watch whose place in the history is gone says so, and whatever happened is in the new list', async () => {
    const k8s = badly();
    const seen: WatchEvent[] = [];
    const ended = new AbortController();
    bad.next((_, path) => path.includes('watch=true'), 'lost-before');
    bad.next((_, path) => path.includes('watch=true'), { status: 410, body: { kind: 'Status', reason: 'Expired', message: 'too old resource version', code: 410 } });
    for await (const event of k8s.watch({ kind: 'ConfigMap' }, {}, ended.signal)) {
      seen.push(event);
      if (seen.filter(({ type }) => type === 'listed').length === 2) ended.abort();
    }
    expect(seen.map(({ type }) => type)).toEqual(['listed', 'gap', 'listed']);
  });

  test('an API server that does not come back is waited for as long as the step may take, and told at once before a run', async () => {
    const gone = (scope: Scope) => through(changedKubeconfig(cluster, 'gone', (text) => text.replace(cluster.server, 'https://127.0.0.1:1')), scope, 'https://127.0.0.1:1');
    const ended = new AbortController();
    setTimeout(() => ended.abort(new Error('the time of the step is over')), 1_500);
    await expect(gone({ ...scopeFor(), signal: ended.signal }).list({ kind: 'Pod' })).rejects.toThrow('the time of the step is over');
    await expect(gone({ ...scopeFor(), phase: 'plan' }).list({ kind: 'Pod' })).rejects.toEqual(codeOf('k8s-unreachable'));
  }, 30_000);

  test('a token that has expired is read anew, then asked for, and else told', async (context) => {
    const own = ownOf(cluster, context, 'a token that ends is needed');
    await cluster.request('POST', `/api/v1/namespaces/${namespace}/serviceaccounts`, { metadata: { name: 'drill' } });
    const role = { metadata: { name: 'drill' }, rules: [{ apiGroups: [''], resources: ['configmaps'], verbs: ['list'] }] };
    await cluster.request('POST', `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/roles`, role);
    await cluster.request('POST', '/apis/rbac.authorization.k8s.io/v1/clusterroles', { metadata: { name: namespace }, rules: [{ apiGroups: [''], resources: ['namespaces'], verbs: ['get'] }] });
    const subjects = [{ kind: 'ServiceAccount', name: 'drill', namespace }];
    await cluster.request('POST', `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/rolebindings`, { metadata: { name: 'drill' }, subjects, roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'drill' } });
    await cluster.request('POST', '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', { metadata: { name: namespace }, subjects, roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: namespace } });
    const file = own.kubeconfigWith(await own.expiringToken(namespace, 'drill', 600));
    let asked = 0;
    let renews = true;
    const scope: Scope = {
      ...scopeFor(),
      async renew(what) {
        asked += 1;
        expect(what).toMatch(/Unauthorized/);
        if (renews) writeFileSync(file, readFileSync(own.kubeconfigWith(await own.expiringToken(namespace, 'drill', 600))));
        return renews;
      },
    };
    const secrets: string[] = [];
    const k8s = through(file, scope, cluster.server, secrets);
    await k8s.list({ kind: 'ConfigMap' });
    const spoil = (text: string) => text.replace(/token: .*/, 'token: no-longer-good');
    const fresh = through(file, scope, cluster.server, secrets);
    writeFileSync(file, spoil(readFileSync(file, 'utf8')));
    await expect.poll(async () => (await fresh.list({ kind: 'ConfigMap' })).items.length).toBeGreaterThanOrEqual(0);
    expect(asked).toBe(1);
    expect(secrets).toContain('no-longer-good');
    renews = false;
    writeFileSync(file, spoil(readFileSync(file, 'utf8')));
    await expect(through(file, scope).list({ kind: 'ConfigMap' })).rejects.toEqual(codeOf('k8s-unauthorized'));
  });

  test('a credential plugin is asked, and one that fails is named', async () => {
    const config = parse(readFileSync(cluster.kubeconfig, 'utf8')) as { users: { user: Record<string, unknown> }[] };
    const token = config.users[0]?.user['token'];
    const plugin = join(cluster.folder, 'plugin.sh');
    const answer = { apiVersion: 'client.authentication.k8s.io/v1', kind: 'ExecCredential', status: { token } };
    // Plugins of kubectl expect to be told what they are asked for.
    writeFileSync(plugin, `#!/bin/sh\n[ -n "$KUBERNETES_EXEC_INFO" ] || { echo 'who asks?' >&2; exit 1; }\necho '${JSON.stringify(answer)}'\n`);
    chmodSync(plugin, 0o700);
    for (const each of config.users) each.user = { exec: { apiVersion: 'client.authentication.k8s.io/v1', command: plugin, interactiveMode: 'Never' } };
    const file = join(cluster.folder, 'plugin.yaml');
    writeFileSync(file, stringify(config));
    await through(file).list({ kind: 'ConfigMap' });
    writeFileSync(plugin, "#!/bin/sh\necho 'the session has expired' >&2\nexit 1\n");
    await expect(through(file).list({ kind: 'ConfigMap' })).rejects.toEqual(expect.objectContaining({ code: 'k8s-unauthorized', message: expect.stringMatching(/the session has expired/) }));
  });

  test('a kubeconfig that leads elsewhere than when the connection was provisioned is not used', async () => {
    const k8s = through(bad.kubeconfig);
    await expect(k8s.list({ kind: 'ConfigMap' })).rejects.toEqual(codeOf('k8s-other-cluster'));
    await expect(through('/nowhere/kubeconfig').list({ kind: 'ConfigMap' })).rejects.toEqual(codeOf('k8s-no-context'));
  });
});
