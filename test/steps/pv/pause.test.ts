import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { requireComponent } from '../../components/index.js';
import { kubernetesComponent, startKubernetes, type Cluster } from '../../components/kubernetes/index.js';
import { until } from '../../components/kubernetes/programs.js';
import { deployment } from '../../components/kubernetes/objects.js';
import { kubernetesPort, kubernetesShared } from '../../../src/clients/kubernetes/adapter.js';
import type { KubernetesCluster } from '../../../src/clients/kubernetes/port.js';
import { ownersOf, pauseAll, refuseUnpaused, resumeAll, withWhatStood } from '../../../src/steps/pv/lib/owners.js';
import { guardOf, worldOf } from '../../components/kubernetes/connection.js';
import { scopeFor } from '../../clients/lib/scope.js';

const suite = await requireComponent(kubernetesComponent);
const text = { type: 'string' };
const truth = { type: 'boolean' };
const keda = { type: 'object', properties: { scaleTargetRef: { type: 'object', properties: { name: text, kind: text } } } };

/** The kinds as their own definitions have them, as far as pausing goes; the API server drops what such a definition does not name. Nothing acts on them here. */
const kinds = [
  { group: 'argoproj.io', version: 'v1alpha1', plural: 'applications', kind: 'Application', spec: { type: 'object', properties: { project: text } } },
  { group: 'kustomize.toolkit.fluxcd.io', version: 'v1', plural: 'kustomizations', kind: 'Kustomization', spec: { type: 'object', properties: { path: text, suspend: truth } } },
  { group: 'helm.toolkit.fluxcd.io', version: 'v2', plural: 'helmreleases', kind: 'HelmRelease', spec: { type: 'object', properties: { releaseName: text, suspend: truth } } },
  { group: 'keda.sh', version: 'v1alpha1', plural: 'scaledobjects', kind: 'ScaledObject', spec: keda },
] as const;

suite('who would put a workload back is paused, and is as he was afterwards', () => {
  let cluster: Cluster;
  let k8s: KubernetesCluster;
  let namespace = '';
  let tries = 0;

  beforeAll(async () => {
    cluster = await startKubernetes({ nodes: [] });
    for (const { group, version, plural, kind, spec } of kinds) {
      const schema = { openAPIV3Schema: { type: 'object', properties: { spec } } };
      await cluster.request('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', { metadata: { name: `${plural}.${group}` }, spec: { group, scope: 'Namespaced', names: { plural, singular: kind.toLowerCase(), kind, listKind: `${kind}List` }, versions: [{ name: version, served: true, storage: true, schema }] } });
      await until(`the kind ${kind}`, () => cluster.request('GET', `/apis/${group}/${version}/namespaces/default/${plural}`).then(() => true), []);
    }
  });
  beforeEach(async () => {
    namespace = `muster-pause-${process.pid}-${(tries += 1)}`;
    await cluster.request('POST', '/api/v1/namespaces', { metadata: { name: namespace } });
    const world = worldOf(cluster, { namespace });
    const scope = scopeFor(guardOf(world, [{ context: cluster.context, uid: cluster.uid, namespaces: [namespace], cluster: [] }]));
    k8s = kubernetesPort(scope, world, kubernetesShared()).cluster('k8s');
  });
  afterAll(() => cluster?.stop());

  const pathOf = (plural: string) => {
    const { group, version } = kinds.find((each) => each.plural === plural) ?? kinds[0];
    return `/apis/${group}/${version}/namespaces/${namespace}/${plural}`;
  };
  const make = (plural: string, spec: object, annotations: object = {}) => {
    const { group, version, kind } = kinds.find((each) => each.plural === plural) ?? kinds[0];
    return cluster.request('POST', pathOf(plural), { apiVersion: `${group}/${version}`, kind, metadata: { name: 'web', annotations }, spec });
  };
  const object = (plural: string) => cluster.request('GET', `${pathOf(plural)}/web`);
  const skipped = async () => (await object('applications')).metadata.annotations?.['argocd.argoproj.io/skip-reconcile'];
  const scaling = async () => (await object('scaledobjects')).metadata.annotations?.['autoscaling.keda.sh/paused'];
  const suspended = async (plural: string) => (await object(plural)).spec?.['suspend'];

  const workload = async (marks: { readonly labels?: object; readonly annotations?: object }) => {
    await cluster.request('POST', `/apis/apps/v1/namespaces/${namespace}/deployments`, { ...deployment('web', { replicas: 0 }), metadata: { name: 'web', ...marks } });
    return k8s.get({ kind: 'Deployment', name: 'web' });
  };
  const claim = { apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name: 'data' } };
  const owners = async (marks: Parameters<typeof workload>[0]) => ownersOf(k8s, await workload(marks), claim);
  const paused = async (found: Awaited<ReturnType<typeof owners>>) => {
    const all = await withWhatStood(k8s, found);
    await pauseAll(k8s, all, { log: () => undefined });
    return all.flatMap(({ pause }) => pause ?? []);
  };

  it('an application of Argo CD, which is told to leave it alone', async () => {
    await make('applications', { project: 'default' });
    const found = await owners({ annotations: { 'argocd.argoproj.io/tracking-id': `${namespace}_web:apps/Deployment:${namespace}/web` } });
    expect(() => refuseUnpaused(found, ['flux'])).toThrow(`Argo CD application ${namespace}/web would put the workload back`);
    const pauses = await paused(found);
    expect(await skipped()).toBe('true');
    await resumeAll(k8s, pauses);
    expect(await skipped()).toBeUndefined();
  });

  it.each([
    ['kustomizations', 'kustomize', 'Flux kustomizations'],
    ['helmreleases', 'helm', 'Flux helmreleases'],
  ])('%s of Flux, which are suspended', async (plural, by, name) => {
    await make(plural, {});
    const found = await owners({ labels: { [`${by}.toolkit.fluxcd.io/name`]: 'web', [`${by}.toolkit.fluxcd.io/namespace`]: namespace } });
    expect(() => refuseUnpaused(found, [])).toThrow(`${name} ${namespace}/web would put the workload back`);
    const pauses = await paused(found);
    expect(await suspended(plural)).toBe(true);
    await resumeAll(k8s, pauses);
    expect(await suspended(plural)).toBe(false);
  });

  it('an autoscaler of KEDA', async () => {
    await make('scaledobjects', { scaleTargetRef: { name: 'web' } });
    const pauses = await paused(await owners({}));
    expect(await scaling()).toBe('true');
    await resumeAll(k8s, pauses);
    expect(await scaling()).toBeUndefined();
  });

  it('and whom somebody else has paused stays paused', async () => {
    await make('applications', { project: 'default' }, { 'argocd.argoproj.io/skip-reconcile': 'true' });
    await make('kustomizations', { suspend: true });
    await make('scaledobjects', { scaleTargetRef: { name: 'web' } }, { 'autoscaling.keda.sh/paused': 'true' });
    const found = await owners({
      annotations: { 'argocd.argoproj.io/tracking-id': `${namespace}_web:apps/Deployment:${namespace}/web` },
      labels: { 'kustomize.toolkit.fluxcd.io/name': 'web', 'kustomize.toolkit.fluxcd.io/namespace': namespace },
    });
    await resumeAll(k8s, await paused(found));
    expect([await skipped(), await suspended('kustomizations'), await scaling()]).toEqual(['true', true, 'true']);
  });

  it('but not one who is not there any more, and puts nothing back', async () => {
    const found = await owners({ annotations: { 'argocd.argoproj.io/tracking-id': `${namespace}_web:apps/Deployment:${namespace}/web` } });
    expect(found.map(({ by }) => by)).toEqual(['argocd']);
    expect(await withWhatStood(k8s, found)).toEqual([]);
  });
});
