import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { requireOwnKubernetes, type KubernetesObject } from '../components/kubernetes/index.js';
import { markedObjects } from '../components/kubernetes/marked.js';
import type { Environment } from '../../src/engine/documents.js';
import { openStage, type Stage } from './cnpg.js';
import { meanwhile } from './meanwhile.js';
import { begin, drill, edit, expectNothingLeft, muster, removeFolders, run, runsIn, scratch, stepOf } from './harness.js';

const describe = await requireOwnKubernetes('a stand-in is the operator of CloudNativePG');

describe.each(['plugin', 'in-tree'] as const)('a restore from the store of the %s', (archive) => {
  let stage: Stage;

  beforeAll(async () => {
    stage = await openStage({ archive, instances: 1 });
  });

  afterEach(async () => {
    expect(await markedObjects(stage.kubernetes)).toEqual([]);
  });

  afterAll(async () => {
    await stage?.stop();
    await removeFolders();
  });

  const objects = async (path: string): Promise<readonly KubernetesObject[]> => (await stage.kubernetes.request('GET', path)).items ?? [];
  /** What a drill may leave nothing of: Clusters and Backups, and what the operator makes for a Cluster. */
  async function names(): Promise<string[]> {
    const { namespace } = stage.cnpg;
    const kinds = ['clusters', 'backups'].map((plural) => `/apis/postgresql.cnpg.io/v1/namespaces/${namespace}/${plural}`).concat(['pods', 'services', 'secrets'].map((plural) => `/api/v1/namespaces/${namespace}/${plural}`));
    return (await Promise.all(kinds.map(objects))).flat().map(({ metadata }) => metadata.name).filter((name) => !name.startsWith('default-token-'));
  }

  it('passes at exactly the moment before the bad deploy, and leaves no object', async () => {
    const before = await names();
    const drilled = await drill(stage.drill('cnpg-pitr-restore', { watched: 'audited', set: { rows: 2000 } }));
    expect(drilled.codes).toEqual([]);
    expect(drilled.drill.verdict).toBe('passed');
    expect(drilled.drill.rpo.status).toBe('met');
    const [restored] = drilled.evidence('restore-target');
    expect(restored?.settings).toMatchObject({ 'recoveryTarget.backupID': drilled.evidence('backup')[0]?.name, 'recoveryTarget.targetTLI': '1' });
    expect(restored?.settings['recoveryTarget.targetTime']).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}\+00$/);
    expect(drilled.evidence('wal-end')[0]).toMatchObject({ archiveMode: 'on', timeline: 2, stop: { kind: 'before' }, history: [{ timeline: 1 }] });
    expect(drilled.evidence('archiving')).toMatchObject([{ connection: 'copy', to: null }]);
    expect(drilled.drill.notProved.join('\n')).toContain('The last transaction that copy replayed');
    expect(await names()).toEqual(before);
  });

  it.runIf(archive === 'plugin')('fails by name when somebody helps the copy', async () => {
    const copy = stage.paths.cluster.replace(stage.cnpg.cluster, 'orders-drill');
    const work = () => stage.alice('PATCH', `${copy}?fieldManager=kubectl-edit`, { spec: { postgresql: { parameters: { max_connections: '200' } } } });
    const drilled = await drill(stage.drill('cnpg-pitr-restore', { watched: true, set: { rows: 2000 }, ...meanwhile('restore', work) }));
    expect(drilled.codes).toEqual(['undocumented-change']);
    expect(drilled.why('undocumented-change')).toMatch(/^\S+ \S+ cluster databases\/orders-drill: changed spec\.postgresql by kubectl-edit$/);
  });

  it.runIf(archive === 'plugin')('goes into a namespace of its own, where there is a store that reads the same, and is refused where there is none', async () => {
    const elsewhere = `restores-${process.pid}`;
    const stores = (namespace: string) => `/apis/barmancloud.cnpg.io/v1/namespaces/${namespace}/objectstores`;
    await stage.kubernetes.request('POST', '/api/v1/namespaces', { metadata: { name: elsewhere } });
    const environment = ({ boundary, connections }: Environment) => {
      boundary.kubernetes?.[0]?.namespaces.push(elsewhere);
      Object.assign(connections['copy']?.with ?? {}, { namespace: elsewhere });
    };
    const copies = async () => (await objects(`/apis/postgresql.cnpg.io/v1/namespaces/${elsewhere}/clusters`)).concat(await objects(`/api/v1/namespaces/${elsewhere}/pods`)).map(({ metadata }) => metadata.name);

    const refused = await run(stage.drill('cnpg-pitr-restore', { environment, set: { rows: 2000 } }));
    expect(refused.code, refused.stderr).toBe(3);
    expect(refused.stderr).toContain(`the namespace ${elsewhere} has no ObjectStore ${stage.cnpg.objectStore}`);
    expectNothingLeft(refused);

    const { spec } = await stage.kubernetes.request('GET', `${stores(stage.cnpg.namespace)}/${stage.cnpg.objectStore}`);
    await stage.kubernetes.request('POST', stores(elsewhere), { apiVersion: 'barmancloud.cnpg.io/v1', kind: 'ObjectStore', metadata: { name: stage.cnpg.objectStore }, spec });
    const before = await names();
    const drilled = await drill(stage.drill('cnpg-pitr-restore', { environment, watched: true, set: { rows: 2000 } }));
    expect(drilled.codes).toEqual([]);
    expect(drilled.drill.verdict).toBe('passed');
    expect(drilled.of('watch.observed').some(({ data }) => data.object.includes(`cluster ${elsewhere}/orders-drill`) && data.ours)).toBe(true);
    expect(await copies()).toEqual([]);
    expect(await names()).toEqual(before);
  });

  it('is refused before anything is broken when the window of the store does not reach back to the target', async () => {
    const before = await names();
    const refused = await run(stage.drill('cnpg-pitr-restore', { set: { rows: 2000 }, runbook: (runbook) => edit(runbook, 'restore', { target: { type: 'time', value: '2020-01-01T00:00:00Z' } }) }));
    expect(refused.code, refused.stderr).toBe(3);
    expect(refused.stderr).toMatch(/step restore: recovery window: the store cannot restore to 2020-01-01T00:00:00Z: its recovery window begins at/);
    expect(refused.bundle).toBeNull();
    expectNothingLeft(refused);
    expect(await names()).toEqual(before);
  });

  it('fails by name, and leaves no object, when the copy does not come to be in time', async () => {
    const before = await names();
    await stage.cnpg.control.set({ slow: { recovery: 20_000 } });
    const drilled = await drill(stage.drill('cnpg-pitr-restore', { set: { rows: 2000 }, runbook: (runbook) => edit(runbook, 'restore', { within: '2s' }) }));
    await stage.cnpg.control.set({ slow: {} });
    expect(drilled.codes).toContain('step-failed');
    expect(drilled.why('step-failed')).toMatch(/orders-drill was not restored within 2s: Setting up primary/);
    expect(await names()).toEqual(before);
  });

  it('leaves no object after `muster cleanup` when its process dies in the middle of the restore', async () => {
    const before = await names();
    await stage.cnpg.control.set({ slow: { recovery: 5_000 } });
    const folder = await scratch();
    const [runbook, environment] = (await stage.drill('cnpg-pitr-restore').documents?.(folder)) ?? ['', ''];
    const { live, ended } = begin(folder, ['run', runbook, '--env', environment, '--evidence-dir', join(folder, 'evidence'), '--set', `cluster=${stage.cnpg.cluster}`, '--set', 'rows=2000']);
    await live.until((event) => event.type === 'cleanup.confirmed' && event.step === 'restore');
    live.child.kill('SIGKILL');
    await ended;
    expect(await names()).toContain('orders-drill');
    const [left = ''] = runsIn(live.state);
    const cleaned = await muster(folder, ['cleanup', left]);
    await stage.cnpg.control.set({ slow: {} });
    expect(cleaned.code, cleaned.stderr).toBe(0);
    expect(await names()).toEqual(before);
  });

  it('is planned in full: what is read, made, waited for and deleted', async () => {
    const folder = await scratch();
    const [runbook, environment] = (await stage.drill('cnpg-pitr-restore').documents?.(folder)) ?? ['', ''];
    const { code, stdout, stderr } = await muster(folder, ['plan', runbook, '--env', environment, '--set', `cluster=${stage.cnpg.cluster}`]);
    expect(code, stderr).toBe(0);
    expect(stdout).toContain('Deletes the restored Cluster, by its uid');
    expect(stdout).toMatch(/never archives/);
  });
});

describe('a cluster that keeps no backups', () => {
  let stage: Stage;

  beforeAll(async () => {
    stage = await openStage({ archive: 'none', instances: 1 });
  });

  afterAll(async () => {
    await stage?.stop();
    await removeFolders();
  });

  it('is refused by name', async () => {
    const refused = await run(stage.drill('cnpg-pitr-restore', { set: { rows: 2000 }, runbook: (runbook) => delete stepOf(runbook, 'healthy-before').with?.['archiving'] }));
    expect(refused.code, refused.stderr).toBe(3);
    expect(refused.stderr).toMatch(/keeps no backups that could be restored/);
    expectNothingLeft(refused);
  });
});
