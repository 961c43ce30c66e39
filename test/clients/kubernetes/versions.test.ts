import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { afterEach, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { kubernetesPort, kubernetesShared } from '../../../src/clients/kubernetes/adapter.js';
import type { KubernetesCluster } from '../../../src/clients/kubernetes/port.js';
import { LiveWorld } from '../../../src/engine/world.js';
import { scopeFor } from '../lib/scope.js';

type Kind = readonly [plural: string, kind: string, more?: { readonly cluster?: true; readonly short?: string; readonly verbs?: readonly string[]; readonly version?: string }];

interface ApiServer {
  readonly gitVersion: string;
  readonly core: readonly Kind[];
  /** Versions of each group, the preferred one first. */
  readonly groups: Readonly<Record<string, Readonly<Record<string, readonly Kind[]>>>>;
}

const core = (eviction: string): readonly Kind[] => [['namespaces', 'Namespace', { cluster: true, short: 'ns' }], ['nodes', 'Node', { cluster: true, short: 'no' }], ['pods', 'Pod', { short: 'po' }], ['pods/eviction', 'Eviction', { verbs: ['create'], version: eviction }], ['events', 'Event', { short: 'ev' }], ['endpoints', 'Endpoints', { short: 'ep' }]];
const hpa: Kind = ['horizontalpodautoscalers', 'HorizontalPodAutoscaler', { short: 'hpa' }];
const pdb: Kind = ['poddisruptionbudgets', 'PodDisruptionBudget', { short: 'pdb' }];

/** What these versions say of themselves, as far as drills ask for it; written from the release notes of the APIs that went and came. */
const servers: Readonly<Record<string, ApiServer>> = {
  '1.20': {
    gitVersion: 'v1.20.2',
    core: core('policy/v1beta1'),
    groups: {
      extensions: { v1beta1: [['ingresses', 'Ingress', { short: 'ing' }]] },
      apps: { v1: [['deployments', 'Deployment', { short: 'deploy' }]] },
      autoscaling: { v1: [hpa], v2beta2: [hpa], v2beta1: [hpa] },
      batch: { v1: [['jobs', 'Job']], v1beta1: [['cronjobs', 'CronJob', { short: 'cj' }]] },
      'discovery.k8s.io': { v1beta1: [['endpointslices', 'EndpointSlice']] },
      'events.k8s.io': { v1: [['events', 'Event', { short: 'ev' }]], v1beta1: [['events', 'Event', { short: 'ev' }]] },
      'networking.k8s.io': { v1: [['ingresses', 'Ingress', { short: 'ing' }]], v1beta1: [['ingresses', 'Ingress', { short: 'ing' }]] },
      policy: { v1beta1: [pdb] },
      'storage.k8s.io': { v1: [['volumeattachments', 'VolumeAttachment', { cluster: true }]], v1beta1: [['volumeattachments', 'VolumeAttachment', { cluster: true }]], v1alpha1: [['csistoragecapacities', 'CSIStorageCapacity']] },
    },
  },
  '1.34': {
    gitVersion: 'v1.34.1-eks-3cfe0ce',
    core: core('policy/v1'),
    groups: {
      apps: { v1: [['deployments', 'Deployment', { short: 'deploy' }]] },
      autoscaling: { v2: [hpa], v1: [hpa] },
      batch: { v1: [['jobs', 'Job'], ['cronjobs', 'CronJob', { short: 'cj' }]] },
      'discovery.k8s.io': { v1: [['endpointslices', 'EndpointSlice']] },
      'events.k8s.io': { v1: [['events', 'Event', { short: 'ev' }]] },
      // Of an aggregated server: the same plurals as those of the core.
      'metrics.k8s.io': { v1beta1: [['pods', 'PodMetrics', { verbs: ['get', 'list'] }], ['nodes', 'NodeMetrics', { cluster: true, verbs: ['get', 'list'] }]] },
      'networking.k8s.io': { v1: [['ingresses', 'Ingress', { short: 'ing' }]] },
      policy: { v1: [pdb] },
      'storage.k8s.io': { v1: [['volumeattachments', 'VolumeAttachment', { cluster: true }], ['csistoragecapacities', 'CSIStorageCapacity']] },
    },
  },
};

/** An API server's description of itself over HTTP, and empty lists. */
async function serve({ gitVersion, core: coreKinds, groups }: ApiServer): Promise<{ readonly k8s: KubernetesCluster; readonly asked: { readonly what: string; readonly body: unknown }[]; stop(): Promise<void> }> {
  const asked: { what: string; body: unknown }[] = [];
  const list = (groupVersion: string, kinds: readonly Kind[]) => ({
    kind: 'APIResourceList',
    groupVersion,
    resources: kinds.map(([name, kind, { cluster = false, short, verbs = ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'], version } = {}]) => ({ name, singularName: kind.toLowerCase(), namespaced: !cluster, kind, verbs, ...(short === undefined ? {} : { shortNames: [short] }), ...(version === undefined ? {} : { group: version.split('/')[0], version: version.split('/')[1] }) })),
  });
  const documents: Record<string, unknown> = {
    '/version': { gitVersion },
    '/api/v1': list('v1', coreKinds),
    '/api/v1/namespaces/kube-system': { metadata: { name: 'kube-system', uid: 'uid-1' } },
    '/apis': { kind: 'APIGroupList', groups: Object.entries(groups).map(([name, versions]) => ({ name, versions: Object.keys(versions).map((version) => ({ groupVersion: `${name}/${version}`, version })), preferredVersion: { groupVersion: `${name}/${Object.keys(versions)[0]}` } })) },
    ...Object.fromEntries(Object.entries(groups).flatMap(([name, versions]) => Object.entries(versions).map(([version, kinds]) => [`/apis/${name}/${version}`, list(`${name}/${version}`, kinds)]))),
  };
  const server: Server = createServer((request, response) => {
    const path = new URL(request.url ?? '', 'http://api').pathname;
    const answer = async () => {
      asked.push({ what: `${request.method} ${path}`, body: request.method === 'POST' ? await json(request) : undefined });
      const served = documents[path] ?? (/\/namespaces\/shop\//.test(path) ? { kind: 'List', metadata: { resourceVersion: '1' }, items: [] } : undefined);
      response.writeHead(served === undefined ? 404 : 200, { 'content-type': 'application/json' }).end(JSON.stringify(served ?? { kind: 'Status', reason: 'NotFound', code: 404, message: `there is no ${path}` }));
    };
    answer().catch((error: unknown) => response.writeHead(500).end(String(error)));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const url = `http://127.0.0.1:${address.port}`;
  const folder = mkdtempSync(join(tmpdir(), 'muster-versions-'));
  const kubeconfig = join(folder, 'kubeconfig');
  writeFileSync(kubeconfig, stringify({ apiVersion: 'v1', kind: 'Config', clusters: [{ name: 'c', cluster: { server: url, 'insecure-skip-tls-verify': true } }], users: [{ name: 'u', user: { token: 't0ken' } }], contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }] }));
  const world = new LiveWorld();
  world.apply({ type: 'connection.provisioned', data: { connection: 'k8s', kind: 'kubernetes', role: 'target', provision: 'kubeconfig', details: { kubeconfig: [kubeconfig], context: 'c', server: url, uid: 'uid-1', namespace: 'shop' } } });
  return {
    k8s: kubernetesPort(scopeFor(), world, kubernetesShared()).cluster('k8s'),
    asked,
    async stop() {
      rmSync(folder, { recursive: true });
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

describe.each(Object.keys(servers))('an API server of version %s', (version) => {
  const newer = version !== '1.20';
  let running: Awaited<ReturnType<typeof serve>> | undefined;
  const start = async () => {
    const given = servers[version];
    if (given === undefined) throw new Error(version);
    running = await serve(given);
    return running;
  };
  afterEach(() => running?.stop());

  test('is asked for each kind in the version that it serves', async () => {
    const { k8s } = await start();
    const found = async (kind: string) => (await k8s.resource({ kind })).apiVersion;
    expect(await k8s.version()).toBe(servers[version]?.gitVersion);
    expect(await found('pdb')).toBe(newer ? 'policy/v1' : 'policy/v1beta1');
    expect(await found('poddisruptionbudgets.policy')).toBe(newer ? 'policy/v1' : 'policy/v1beta1');
    expect(await found('CronJob')).toBe(newer ? 'batch/v1' : 'batch/v1beta1');
    expect(await found('HorizontalPodAutoscaler.autoscaling')).toBe(newer ? 'autoscaling/v2' : 'autoscaling/v1');
    expect(await found('CSIStorageCapacity')).toBe(newer ? 'storage.k8s.io/v1' : 'storage.k8s.io/v1alpha1');
    expect(await found('EndpointSlice')).toBe(newer ? 'discovery.k8s.io/v1' : 'discovery.k8s.io/v1beta1');
    expect(await found('Ingress')).toBe('networking.k8s.io/v1');
    expect(await found('VolumeAttachment')).toBe('storage.k8s.io/v1');
    expect([await found('events'), await found('events.events.k8s.io')]).toEqual(['v1', 'events.k8s.io/v1']);
    expect([await found('pods'), await found('nodes')]).toEqual(['v1', 'v1']);
  });

  test('gets evictions in the version in which it takes them, and budgets are read in that of its own', async () => {
    const { k8s, asked } = await start();
    expect(await k8s.evict({ name: 'web-0' }, { uid: 'u' })).toBe(true);
    expect(asked.at(-1)).toEqual({ what: 'POST /api/v1/namespaces/shop/pods/web-0/eviction', body: { apiVersion: newer ? 'policy/v1' : 'policy/v1beta1', kind: 'Eviction', metadata: { name: 'web-0', namespace: 'shop' }, deleteOptions: { preconditions: { uid: 'u' } } } });
    await k8s.list({ kind: 'PodDisruptionBudget' });
    expect(asked.at(-1)?.what).toBe(`GET /apis/policy/${newer ? 'v1' : 'v1beta1'}/namespaces/shop/poddisruptionbudgets`);
  });

  test('has each kind once for the watcher, whatever versions it serves it in', async () => {
    const { k8s } = await start();
    const { resources, unavailable } = await k8s.resources();
    expect(unavailable).toEqual([]);
    expect(new Set(resources.map(({ group, kind }) => `${group}/${kind}`)).size).toBe(resources.length);
    const watched = resources.filter(({ verbs }) => verbs.includes('watch')).map(({ plural, group }) => (group === '' ? plural : `${plural}.${group}`));
    expect(watched).toContain('cronjobs.batch');
    expect(watched).not.toContain('pods.metrics.k8s.io');
    expect(watched.filter((name) => name === 'pods')).toEqual(['pods']);
  });

  test('a manifest in a version that it has no more is refused, with the one that it has', async () => {
    const { k8s } = await start();
    const old = newer ? 'batch/v1beta1' : 'batch/v2alpha1';
    await expect(k8s.resource({ kind: 'CronJob', apiVersion: old })).rejects.toMatchObject({ code: 'k8s-no-such-kind', hint: `It has the kind in: ${newer ? 'batch/v1' : 'batch/v1beta1'}.` });
  });
});
