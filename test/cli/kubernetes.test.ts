import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseAllDocuments, stringify } from 'yaml';
import { runLabel } from '../../src/engine/mark.js';
import { packageRoot } from '../../src/engine/package-root.js';
import type { ObservedCheck, Plan } from '../../src/engine/plan-document.js';
import { requireComponent } from '../components/index.js';
import { kubernetesComponent, ownOf, startKubernetes, type Cluster } from '../components/kubernetes/index.js';
import { Place, type Ended } from './lib.js';

interface Role {
  readonly kind: 'Role' | 'ClusterRole';
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly rules: readonly { readonly resources: readonly string[]; readonly verbs: readonly string[] }[];
}

const describeKubernetes = await requireComponent(kubernetesComponent);

describeKubernetes('drills on a cluster', () => {
  let cluster: Cluster;
  const place = new Place();
  const namespace = `muster-drill-${process.pid}`;
  const volume = `muster-pv-${process.pid}`;
  const group = '/apis/rbac.authorization.k8s.io/v1';

  beforeAll(async () => {
    cluster = await startKubernetes();
    await cluster.request('POST', '/api/v1/namespaces', { metadata: { name: namespace } });
    await cluster.request('POST', `/api/v1/namespaces/${namespace}/configmaps`, { metadata: { name: 'settings' }, data: { mode: 'fast' } });
    for (const name of ['kubernetes', 'patch-volume', 'leftover']) copyFileSync(join(packageRoot(), `test/cli/fixtures/${name}.yaml`), join(place.cwd, `${name}.yaml`));
    environment('admin', cluster.kubeconfig);
    environment('drill', cluster.kubeconfigOf('drill'));
  }, 120_000);
  afterAll(async () => {
    await place.remove();
    await cluster?.request('DELETE', `/api/v1/namespaces/${namespace}`).catch(() => undefined);
    await cluster?.stop();
  });

  function environment(name: string, kubeconfig: string, over: Record<string, unknown> = {}): void {
    const boundary = { kubernetes: [{ context: cluster.context, uid: cluster.uid, namespaces: [namespace], cluster: [`persistentvolumes/${volume}`] }] };
    writeFileSync(
      join(place.cwd, `${name}.env.yaml`),
      stringify({ apiVersion: 'muster/v1', kind: 'Environment', metadata: { name, sandbox: true }, connections: { cluster: { kind: 'kubernetes', role: 'target', provision: 'kubeconfig', with: { kubeconfig, context: cluster.context, namespace } } }, boundary, runbooks: 'any', stableFor: '0', ...over }),
    );
  }
  const muster = (command: string, runbook: string, name: string, ...more: string[]): Promise<Ended> => place.run([command, `${runbook}.yaml`, '--env', `${name}.env.yaml`, ...more]);
  const checks = async (runbook: string, name: string, ...more: string[]): Promise<readonly ObservedCheck[]> => {
    const { code, stdout, stderr } = await muster('plan', runbook, name, '--format', 'json', ...more);
    expect([code, stderr]).toEqual([0, '']);
    return (JSON.parse(stdout) as Plan).observed.checks;
  };
  const failed = async (runbook: string, name: string, ...more: string[]) => (await checks(runbook, name, ...more)).filter(({ result }) => result === 'failed');
  const rolePath = ({ kind, metadata }: Role) => (kind === 'ClusterRole' ? `${group}/clusterroles` : `${group}/namespaces/${metadata.namespace}/roles`);

  /** Binds the printed roles to whom the drill runs as; `change` may leave something out. */
  async function grant(change: (role: Role) => Role = (role) => role): Promise<Role[]> {
    const { code, stdout, stderr } = await muster('permissions', 'kubernetes', 'admin', '--only', 'cluster');
    expect([code, stderr]).toEqual([0, '']);
    const roles = parseAllDocuments(stdout).map((document) => document.toJS() as Role);
    for (const role of roles.map(change)) {
      const { name } = role.metadata;
      await cluster.request('DELETE', `${rolePath(role)}/${name}`).catch(() => undefined);
      await cluster.request('POST', rolePath(role), role);
      const binding = { metadata: { name }, roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: role.kind, name }, subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'muster-drill' }] };
      await cluster.request('POST', `${rolePath(role).replace(/roles$/, 'rolebindings')}`, binding).catch(() => undefined);
    }
    return roles;
  }

  test('without rights nothing begins', async (context) => {
    ownOf(cluster, context, 'a user with few rights is needed');
    expect((await failed('kubernetes', 'drill')).map(({ detail }) => detail).join('\n')).toMatch(/muster-drill.*cannot get resource "namespaces"/);
    expect((await muster('run', 'kubernetes', 'drill', '--yes')).code).toBe(3);
  });

  test('a drill runs under exactly the roles that are printed for it, and leaves nothing', async (context) => {
    ownOf(cluster, context, 'a user with few rights is needed');
    const roles = await grant();
    expect(roles.map(({ kind }) => kind)).toEqual(['ClusterRole', 'Role']);
    expect(JSON.stringify(roles)).not.toContain('*');
    await expect.poll(() => failed('kubernetes', 'drill'), { timeout: 30_000 }).toEqual([]);
    const { code, stderr } = await muster('run', 'kubernetes', 'drill', '--yes');
    expect([code, stderr]).toEqual([0, expect.any(String)]);
    for (const path of [`/apis/apps/v1/namespaces/${namespace}/deployments`, `/api/v1/namespaces/${namespace}/pods`]) expect((await cluster.request('GET', `${path}?labelSelector=${runLabel}`)).items).toEqual([]);
    expect((await cluster.request<{ data: object }>('GET', `/api/v1/namespaces/${namespace}/configmaps/settings`)).data).toEqual({ mode: 'fast' });
    const [bundle = ''] = place.bundles();
    expect(place.verdict(bundle)).toBe('passed');
    expect(place.events(bundle).find(({ type }) => type === 'fault.sent')).toMatchObject({ step: 'lose', data: { kind: 'injected', detail: expect.stringContaining('configmaps') } });
    expect((await place.run(['verify', join('evidence', bundle)])).code).toBe(0);
  }, 120_000);

  test('with any one rule less preflight names what is missing, and the run is refused', async (context) => {
    ownOf(cluster, context, 'a user with few rights is needed');
    const roles = await grant();
    const rules = roles.flatMap((role) => role.rules.map((rule) => ({ role, rule })));
    expect(rules.length).toBeGreaterThan(5);
    for (const { role: of, rule: missing } of rules) {
      await grant((role) => (role.kind === of.kind ? { ...role, rules: role.rules.filter((rule) => JSON.stringify(rule) !== JSON.stringify(missing)) } : role));
      const named = async () => (await failed('kubernetes', 'drill')).map(({ id, detail }) => `${id}: ${detail}`).join('\n');
      await expect.poll(named, { timeout: 30_000 }).toMatch(new RegExp(`(${missing.verbs.join('|')}) .*${missing.resources[0]?.split('/')[0]}`));
    }
    await grant((role) => ({ ...role, rules: role.rules.map((rule) => (rule.resources.includes('configmaps') ? { ...rule, verbs: rule.verbs.filter((verb) => verb !== 'patch') } : rule)) }));
    await expect.poll(async () => (await failed('kubernetes', 'drill')).map(({ id, detail }) => `${id}: ${detail}`).join('\n'), { timeout: 30_000 }).toMatch(/right to patch configmaps settings in .*needed by lose, mend/);
    const { code, stderr } = await muster('run', 'kubernetes', 'drill', '--yes');
    expect([code, stderr]).toEqual([3, expect.stringMatching(/patch configmaps settings/)]);
  }, 240_000);

  test('the published volume procedure is refused with what the API server says of it, and with the step that works', async () => {
    await cluster.request('POST', '/api/v1/persistentvolumes', { metadata: { name: volume }, spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], csi: { driver: 'ebs.csi.aws.com', volumeHandle: 'vol-1' } } });
    expect(await failed('patch-volume', 'admin', '--set', `volume=${volume}`)).toEqual([expect.objectContaining({ step: 'point', detail: expect.stringMatching(/persistentvolumesource is immutable after creation.*pv\.swap/s) })]);
    const { code, stderr } = await muster('run', 'patch-volume', 'admin', '--set', `volume=${volume}`, '--yes');
    expect([code, stderr]).toEqual([3, expect.stringMatching(/pv\.swap/)]);
    await cluster.request('DELETE', `/api/v1/persistentvolumes/${volume}`);
  }, 60_000);

  test('what the drill left behind is found by its label', async () => {
    const { code, stderr } = await muster('run', 'leftover', 'admin', '--yes');
    expect([code, stderr]).toEqual([5, expect.stringMatching(new RegExp(`persistentvolumeclaim ${namespace}/data-db-0`))]);
    await cluster.request('DELETE', `/api/v1/namespaces/${namespace}/persistentvolumeclaims/data-db-0`);
  }, 120_000);

  test.each(['app', 'lose', 'mend'])('a drill that died in or after step %s is cleaned up by another process', async (step) => {
    const started = place.start(['run', 'kubernetes.yaml', '--env', 'admin.env.yaml', '--yes', '--json']);
    await started.event((event) => event.type === 'step.started' && event.step === step);
    started.child.kill('SIGKILL');
    await started.ended;
    const begun = await started.event(({ type }) => type === 'run.started');
    const run = begun.type === 'run.started' ? begun.data.run : '';
    const { code, stderr } = await place.run(['cleanup', run]);
    expect([code, stderr]).toEqual([0, expect.stringMatching(/everything that it made has been removed/)]);
    expect((await cluster.request('GET', `/apis/apps/v1/namespaces/${namespace}/deployments?labelSelector=${runLabel}`)).items).toEqual([]);
    expect((await cluster.request<{ data: object }>('GET', `/api/v1/namespaces/${namespace}/configmaps/settings`)).data).toEqual({ mode: 'fast' });
  }, 120_000);

  test('a kubeconfig that leads elsewhere than when the plan was made is refused', async () => {
    const file = join(place.cwd, 'moving.yaml');
    copyFileSync(cluster.kubeconfig, file);
    environment('moving', file);
    expect((await muster('plan', 'kubernetes', 'moving', '--out', 'plan.json')).code).toBe(0);
    writeFileSync(file, readFileSync(file, 'utf8').replace('127.0.0.1', 'localhost'));
    const { code, stderr } = await place.run(['run', '--plan', 'plan.json', '--yes']);
    expect([code, stderr]).toEqual([3, expect.stringMatching(/localhost/)]);
    environment('named', cluster.kubeconfig, { connections: { cluster: { kind: 'kubernetes', role: 'target', provision: 'kubeconfig', with: { kubeconfig: cluster.kubeconfig, context: cluster.context, namespace, uid: '6b3a27c4-0000-0000-0000-000000000000' } } } });
    expect((await failed('kubernetes', 'named')).map(({ detail }) => detail).join()).toMatch(/leads to the cluster .*; the environment says 6b3a27c4/);
  }, 60_000);
});
