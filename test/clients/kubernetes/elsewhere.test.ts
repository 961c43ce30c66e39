import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { parse, stringify } from 'yaml';
import { kubernetesPort, kubernetesShared } from '../../../src/clients/kubernetes/adapter.js';
import type { KubernetesCluster } from '../../../src/clients/kubernetes/port.js';
import { between, tokenIn, type Between } from '../../components/kubernetes/between.js';
import { guardOf, worldOf } from '../../components/kubernetes/connection.js';
import { requireOwnKubernetes, startKubernetes, type Cluster } from '../../components/kubernetes/index.js';
import { scopeFor } from '../lib/scope.js';

const describeKubernetes = await requireOwnKubernetes('two clusters are needed');

interface Kubeconfig {
  'current-context': string;
  clusters: { name: string; cluster: Record<string, unknown> }[];
  users: { name: string; user: Record<string, unknown> }[];
  contexts: { name: string; context: Record<string, unknown> }[];
}

describeKubernetes('two clusters, one of which is meant', () => {
  let meant: Cluster;
  let other: Cluster;
  let proxy: Between;
  const namespace = `muster-elsewhere-${process.pid}`;
  const configMap = (name: string) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: {} });

  beforeAll(async () => {
    [meant, other] = await Promise.all([startKubernetes({ nodes: [] }), startKubernetes({ nodes: [] })]);
    proxy = await between(meant, other);
    for (const { request } of [meant, other]) await request('POST', '/api/v1/namespaces', { metadata: { name: namespace } });
  }, 120_000);
  afterEach(() => void vi.restoreAllMocks());
  afterAll(async () => {
    await proxy?.close();
    await Promise.all([meant?.stop(), other?.stop()]);
  });

  const connected = (kubeconfig: string, server: string): KubernetesCluster => {
    const world = worldOf(meant, { namespace, kubeconfig, details: { server } });
    return kubernetesPort(scopeFor(guardOf(world, [{ context: meant.context, server, uid: meant.uid, namespaces: [namespace], cluster: [] }])), world, kubernetesShared()).cluster('k8s');
  };
  const written = (name: string, change: (config: Kubeconfig) => void, from = proxy.kubeconfig): string => {
    const config = parse(readFileSync(from, 'utf8')) as Kubeconfig;
    change(config);
    const file = join(meant.folder, `${name}.yaml`);
    writeFileSync(file, stringify(config), { mode: 0o600 });
    return file;
  };
  const mapsOf = async ({ request }: Cluster): Promise<string[]> => ((await request('GET', `/api/v1/namespaces/${namespace}/configmaps`)).items ?? []).map(({ metadata }) => metadata.name).filter((name) => name.startsWith('drill-'));
  const laterBy = (ms: number): void => {
    const now = Date.now.bind(Date);
    vi.spyOn(Date, 'now').mockImplementation(() => now() + ms);
  };

  /** A kubeconfig whose plugin answers with the token of `kubeconfig`, and how to have it answer with another. */
  const withPlugin = (name: string, kubeconfig: string) => {
    const plugin = join(meant.folder, name);
    const answer = (file: string) => writeFileSync(plugin, `#!/bin/sh\necho '${JSON.stringify({ apiVersion: 'client.authentication.k8s.io/v1', kind: 'ExecCredential', status: { token: tokenIn(file) } })}'\n`);
    answer(kubeconfig);
    chmodSync(plugin, 0o700);
    const file = written(`${name}-plugin`, ({ users }) => users.forEach((each) => (each.user = { exec: { apiVersion: 'client.authentication.k8s.io/v1', command: plugin, interactiveMode: 'Never' } })));
    return { k8s: connected(file, proxy.server), answer };
  };

  test('a plugin that comes to return the credentials of the other one: refused, and nothing is sent there', async () => {
    const { k8s, answer } = withPlugin('other', meant.kubeconfig);
    await k8s.create(configMap('drill-before'));
    answer(other.kubeconfig);
    laterBy(31_000);
    const passed = proxy.passed.length;
    await expect(k8s.create(configMap('drill-after'))).rejects.toMatchObject({ code: 'k8s-other-cluster', message: expect.stringContaining(`led to the cluster ${meant.uid} and now leads to ${other.uid}`) });
    await expect(k8s.exec({ name: 'web' }, ['true'], { effect: 'modify' }, AbortSignal.timeout(20_000))).rejects.toMatchObject({ code: 'k8s-other-cluster' });
    expect(new Set(proxy.passed.slice(passed))).toEqual(new Set(['GET /api/v1/namespaces/kube-system']));
    expect([await mapsOf(meant), await mapsOf(other)]).toEqual([['drill-before'], []]);
  });

  test('a plugin that returns other credentials of the same one: asked again which cluster it is, and used', async () => {
    const { k8s, answer } = withPlugin('same', meant.kubeconfig);
    await k8s.list({ kind: 'ConfigMap' });
    answer(meant.kubeconfigOf('alice'));
    laterBy(31_000);
    const passed = proxy.passed.length;
    await k8s.list({ kind: 'ConfigMap' });
    expect(proxy.passed[passed]).toBe('GET /api/v1/namespaces/kube-system');
  });

  test('a kubeconfig whose current context is the other one: never followed', async () => {
    const { clusters, users } = parse(readFileSync(other.kubeconfig, 'utf8')) as Kubeconfig;
    const both = written('both', (config) => {
      config.clusters.push({ name: 'other', cluster: clusters[0]?.cluster ?? {} });
      config.users.push({ name: 'other', user: users[0]?.user ?? {} });
      config.contexts.push({ name: 'other', context: { cluster: 'other', user: 'other', namespace } });
      config['current-context'] = 'other';
    }, meant.kubeconfig);
    await connected(both, meant.server).create(configMap('drill-current'));
    expect([(await mapsOf(meant)).includes('drill-current'), await mapsOf(other)]).toEqual([true, []]);
  });

  test('the context that is meant leads to the other one now: refused by its address, and behind the same address by its uid', async () => {
    const moved = written('moved', ({ clusters, users }) => {
      clusters.forEach((each) => (each.cluster = { server: other.server, 'insecure-skip-tls-verify': true }));
      users.forEach((each) => (each.user = { token: tokenIn(other.kubeconfig) }));
    });
    await expect(connected(moved, meant.server).create(configMap('drill-moved'))).rejects.toMatchObject({ code: 'k8s-other-cluster', message: expect.stringContaining(`now leads to ${other.server}`) });
    const behind = written('behind', ({ users }) => users.forEach((each) => (each.user = { token: tokenIn(other.kubeconfig) })));
    await expect(connected(behind, proxy.server).create(configMap('drill-moved'))).rejects.toMatchObject({ code: 'k8s-other-cluster', message: expect.stringContaining(`now leads to ${other.uid}`) });
    expect(await mapsOf(other)).toEqual([]);
  });
});
