import { describe, expect, it } from 'vitest';
import type { KubernetesObject } from '../../../src/clients/kubernetes/port.js';
import { readBackup, usableOf } from '../../../src/steps/cnpg/lib/backups.js';
import { failures, healthChecks, type ServerFacts } from '../../../src/steps/cnpg/lib/checks.js';
import { readCluster, withFence, withoutFence } from '../../../src/steps/cnpg/lib/cluster.js';
import { archivesTo, copyOf, recoveryTarget, targetField } from '../../../src/steps/cnpg/lib/manifest.js';
import { choose, requireBackup } from '../../../src/steps/cnpg/lib/pick.js';
import { checkWindow, requireStore, storeOf, windowOf } from '../../../src/steps/cnpg/lib/store.js';
import { readHistory, readHistoryReason } from '../../../src/steps/postgres/lib/recovery-log.js';
import { normalizeTarget } from '../../../src/steps/postgres/lib/target.js';

const plugin = { name: 'barman-cloud.cloudnative-pg.io', isWALArchiver: true, parameters: { barmanObjectName: 'orders-backups' } };

/** A Cluster of three as CloudNativePG 1.30 describes one at rest. */
function cluster(change: { spec?: Record<string, unknown>; status?: Record<string, unknown>; annotations?: Record<string, string> } = {}) {
  const object: KubernetesObject = {
    apiVersion: 'postgresql.cnpg.io/v1',
    kind: 'Cluster',
    metadata: { name: 'orders', namespace: 'shop', uid: 'u-1', resourceVersion: '41', annotations: change.annotations ?? {} },
    spec: {
      instances: 3,
      imageName: 'ghcr.io/cloudnative-pg/postgresql:18.1-system-trixie',
      storage: { size: '10Gi' },
      postgresql: { parameters: { max_connections: '200' }, synchronous: { method: 'any', number: 1 } },
      bootstrap: { initdb: { database: 'shop', owner: 'shopper' } },
      plugins: [plugin],
      ...change.spec,
    },
    status: {
      phase: 'Cluster in healthy state',
      readyInstances: 3,
      currentPrimary: 'orders-1',
      targetPrimary: 'orders-1',
      timelineID: 3,
      systemID: '7039966298120953877',
      instancesStatus: { healthy: ['orders-1', 'orders-2', 'orders-3'] },
      instancesReportedState: { 'orders-1': { isPrimary: true, timeLineID: 3 }, 'orders-2': { isPrimary: false, timeLineID: 3 }, 'orders-3': { isPrimary: false, timeLineID: 3 } },
      conditions: [{ type: 'Ready', status: 'True', reason: 'ClusterIsReady', message: 'Cluster is Ready' }, { type: 'ContinuousArchiving', status: 'True', reason: 'ContinuousArchivingSuccess', message: 'Continuous archiving is working' }],
      ...change.status,
    },
  };
  return readCluster(object);
}

const server: ServerFacts = { inRecovery: false, systemId: '7039966298120953877', timeline: 3, archived: '000000030000000000000009', archiveFails: false };
const wrong = (...given: Parameters<typeof healthChecks>) => healthChecks(...given).filter(({ ok }) => !ok).map(({ name }) => name);

describe('a Cluster at rest', () => {
  it('is healthy', () => expect(failures(healthChecks(cluster(), { archiving: true }, server))).toBe(''));

  it('is not healthy while it is hibernated, though its phase says so', () => {
    const facts = cluster({ annotations: { 'cnpg.io/hibernation': 'on' }, status: { readyInstances: 0, instancesStatus: {} } });
    expect(facts.phase).toBe('Cluster in healthy state');
    expect(wrong(facts, { archiving: false })).toEqual(['not hibernated', 'full strength']);
  });

  it('is not healthy with a fence, without an instance, or with a primary that is to be another', () => {
    expect(wrong(cluster({ annotations: { 'cnpg.io/fencedInstances': '["orders-2"]' } }), { archiving: false })).toEqual(['not fenced']);
    expect(wrong(cluster({ annotations: { 'cnpg.io/fencedInstances': 'orders-2' } }), { archiving: false })).toEqual(['not fenced']);
    expect(wrong(cluster({ status: { readyInstances: 2 } }), { archiving: false })).toEqual(['full strength']);
    expect(wrong(cluster({ spec: { instances: 0 }, status: { readyInstances: 0 } }), { archiving: false })).toEqual(['full strength']);
    expect(wrong(cluster({ status: { targetPrimary: 'pending' } }), { archiving: false })).toEqual(['one primary']);
  });

  it('proves neither SQL nor archiving by its condition Ready', () => {
    const silent = cluster({ status: { conditions: [{ type: 'Ready', status: 'True', reason: 'ClusterIsReady', message: '' }] } });
    expect(wrong(silent, { archiving: true })).toEqual(['ContinuousArchiving']);
    expect(wrong(cluster(), { archiving: true }, { ...server, archived: null })).toEqual(['archives']);
    expect(wrong(cluster(), { archiving: true }, { ...server, archiveFails: true })).toEqual(['archives']);
    expect(wrong(cluster(), { archiving: false }, { ...server, inRecovery: true })).toEqual(['answers as a primary']);
    expect(wrong(cluster(), { archiving: false }, { ...server, systemId: '1' })).toEqual(['same system']);
  });
});

describe('a Cluster after a failover', () => {
  const after = { primary: 'orders-2', timeline: 4 };
  const state = (former: Record<string, unknown>) => ({
    currentPrimary: after.primary, targetPrimary: after.primary, timelineID: after.timeline,
    instancesReportedState: { 'orders-1': former, 'orders-2': { isPrimary: true, timeLineID: 4 }, 'orders-3': { isPrimary: false, timeLineID: 4 } },
  });
  const wanted = { archiving: false, former: 'orders-1', timelineBefore: 3 };

  it('is whole once the former primary follows on the new timeline', () => expect(wrong(cluster({ status: state({ isPrimary: false, timeLineID: 4 }) }), wanted, { ...server, timeline: 4 })).toEqual([]));

  it('is not while the former primary is on the old timeline, calls itself a primary, or says nothing', () => {
    for (const former of [{ isPrimary: false, timeLineID: 3 }, { isPrimary: true, timeLineID: 4 }, {}]) {
      expect(wrong(cluster({ status: state(former) }), wanted)).toEqual(['former primary is back']);
    }
    expect(wrong(cluster({ status: { ...state({ isPrimary: false, timeLineID: 4 }), instancesStatus: { healthy: ['orders-2', 'orders-3'] } } }), wanted)).toEqual(['former primary is back']);
  });

  it('is not when nothing failed over, or twice did', () => {
    expect(wrong(cluster(), wanted)).toEqual(['former primary is back', 'timeline of the Cluster']);
    expect(wrong(cluster({ status: { ...state({ isPrimary: false, timeLineID: 5 }), timelineID: 5 } }), wanted, { ...server, timeline: 5 })).toEqual(['timeline of the Cluster', 'timeline of the server']);
  });
});

describe('fences', () => {
  it('are added to and taken from the list of others', () => {
    const fenced = cluster({ annotations: { 'cnpg.io/fencedInstances': '["orders-3"]' } });
    expect(withFence(fenced, 'orders-2')).toEqual({ 'cnpg.io/fencedInstances': '["orders-2","orders-3"]' });
    expect(withFence(fenced, 'orders-3')).toBeUndefined();
    expect(withoutFence(fenced, 'orders-3')).toEqual({ 'cnpg.io/fencedInstances': null });
    expect(withoutFence(fenced, 'orders-2')).toBeUndefined();
  });
});

describe('the store of a Cluster', () => {
  const inTree = { plugins: undefined, backup: { barmanObjectStore: { destinationPath: 's3://b/p', s3Credentials: {} } } };

  it('is that of the plugin, else the in-tree one, else none', () => {
    expect(storeOf(cluster())).toEqual({ kind: 'plugin', objectStore: 'orders-backups', serverName: 'orders' });
    expect(storeOf(cluster({ spec: inTree }))).toMatchObject({ kind: 'in-tree', serverName: 'orders' });
    expect(storeOf(cluster({ spec: { plugins: [{ ...plugin, enabled: false }] } }))).toBeUndefined();
    expect(() => requireStore(cluster({ spec: { plugins: [] } }))).toThrow(/keeps no backups/);
  });

  it('says from when on it can restore: the ObjectStore for the plugin, the Cluster for the in-tree store', async () => {
    const objectStore = (status: unknown) => ({ find: async () => ({ apiVersion: 'barmancloud.cnpg.io/v1', kind: 'ObjectStore', metadata: { name: 'orders-backups' }, status }) });
    const window = { firstRecoverabilityPoint: '2026-11-19T00:00:00Z', lastSuccessfulBackupTime: '2026-11-20T00:00:00Z' };
    expect(await windowOf(cluster(), requireStore(cluster()), objectStore({ serverRecoveryWindow: { orders: window } }))).toEqual({ first: window.firstRecoverabilityPoint, lastBackup: window.lastSuccessfulBackupTime });
    await expect(windowOf(cluster(), requireStore(cluster()), objectStore({ serverRecoveryWindow: { other: window } }))).rejects.toMatchObject({ code: 'no-recovery-window' });
    const facts = cluster({ spec: inTree, status: { firstRecoverabilityPoint: '2026-11-18T00:00:00Z' } });
    expect(await windowOf(facts, requireStore(facts), { find: async () => undefined })).toEqual({ first: '2026-11-18T00:00:00Z', lastBackup: null });
  });

  it('does not restore to before its window, nor to a time that has not come', () => {
    const window = { first: '2026-11-20T07:00:00Z', lastBackup: null };
    const now = '2026-11-20T09:00:00.000Z';
    expect(() => checkWindow(window, '2026-11-20T07:00:00Z', now)).not.toThrow();
    expect(() => checkWindow(window, '2026-11-20 07:59:59.9+01', now)).toThrow(/begins at 2026-11-20T07:00:00Z/);
    expect(() => checkWindow(window, '2026-11-20T09:00:00.001Z', now)).toThrow(/has not come yet/);
  });
});

describe('the backup to start from', () => {
  const object = (name: string, status: Record<string, unknown>, spec: Record<string, unknown> = {}): KubernetesObject => ({
    apiVersion: 'postgresql.cnpg.io/v1', kind: 'Backup', metadata: { name, uid: name },
    spec: { cluster: { name: 'orders' }, method: 'plugin', ...spec },
    status: { phase: 'completed', backupId: `id-${name}`, startedAt: '2026-11-20T07:00:00Z', stoppedAt: '2026-11-20T07:00:10Z', beginWal: '00000003000000000000000A', beginLSN: '0/A000028', endLSN: '0/A000100', ...status },
  });
  const store = requireStore(cluster());
  const objects = [object('old', {}), object('new', { stoppedAt: '2026-11-20T08:00:10Z', endLSN: '0/C000100' }), object('failed', { phase: 'failed' }), object('mute', { beginLSN: undefined }), object('other', {}, { cluster: { name: 'other' } }), object('snapshot', { method: 'volumeSnapshot' })];
  const usable = usableOf(objects, cluster(), store);

  it("is one of this Cluster's completed ones in this store, the newest first", () => expect(usable.map(({ id }) => id)).toEqual(['id-new', 'id-old']));

  it('ended before the target; its end is known to the second only', () => {
    expect(choose(usable, undefined, { type: 'time', value: '2026-11-20T08:00:11Z' })?.id).toBe('id-new');
    expect(choose(usable, undefined, { type: 'time', value: '2026-11-20T08:00:10.999Z' })?.id).toBe('id-old');
    expect(choose(usable, undefined, { type: 'time', value: '2026-11-20T07:00:00Z' })).toBeUndefined();
    expect(choose(usable, undefined, { type: 'lsn', value: '0/C0000FF' })?.id).toBe('id-old');
    expect(choose(usable, undefined, { type: 'lsn', value: '0/A000000' })).toBeUndefined();
    expect(choose(usable, undefined, { type: 'latest' })?.id).toBe('id-new');
  });

  it('can be named by its id or by its object', () => {
    expect(choose(usable, 'old', { type: 'latest' })?.id).toBe('id-old');
    expect(choose(usable, 'id-old', { type: 'latest' })?.id).toBe('id-old');
    expect(choose(usable, 'gone', { type: 'latest' })).toBeUndefined();
  });

  it('must be named for targets that do not say when they were', () => {
    for (const type of ['name', 'xid', 'immediate']) expect(() => requireBackup(type, undefined)).toThrow(/must name the backup/);
    for (const type of ['time', 'lsn', 'latest']) expect(() => requireBackup(type, undefined)).not.toThrow();
    expect(() => requireBackup('xid', 'id-old')).not.toThrow();
  });

  it('is on the timeline of its first WAL file', () => expect(readBackup(object('old', { beginWal: '0000001F0000000000000001' })).timeline).toBe(31));
});

describe('the Cluster of a copy', () => {
  const target = normalizeTarget({ type: 'time', value: '2026-11-20T07:30:00.123456Z' });
  const request = { name: 'orders-drill', namespace: 'drills', runId: 'run-1', instances: 1, superuser: true, recoveryTarget: recoveryTarget(target, '20261120T070000', '3') };
  const made = copyOf(cluster({ spec: { backup: { barmanObjectStore: {} }, replica: { enabled: true }, managed: {}, externalClusters: [{ name: 'elsewhere' }] } }), requireStore(cluster()), request);
  const spec = made['spec'] as Record<string, unknown>;

  it('never archives: it has neither plugins nor backup', () => {
    expect(Object.keys(spec).sort()).toEqual(['bootstrap', 'enableSuperuserAccess', 'externalClusters', 'imageName', 'instances', 'postgresql', 'storage']);
    expect(archivesTo(readCluster({ ...made, metadata: { ...made.metadata, namespace: 'drills' } }))).toBeNull();
    expect(archivesTo(cluster())).toContain('orders-backups');
    expect(archivesTo(cluster({ spec: { plugins: [{ name: 'other.example', isWALArchiver: true }] } }))).toBe('plugin other.example');
    expect(archivesTo(cluster({ spec: { plugins: [], backup: { volumeSnapshot: {} } } }))).not.toBeNull();
  });

  it("has its source's limits and image, and nothing of its replication", () => expect(spec).toMatchObject({ imageName: 'ghcr.io/cloudnative-pg/postgresql:18.1-system-trixie', storage: { size: '10Gi' }, postgresql: { parameters: { max_connections: '200' } } }));

  it('recovers from a known backup, to one target, on a known timeline', () => {
    expect(spec['bootstrap']).toEqual({ recovery: { source: 'muster-source', database: 'shop', owner: 'shopper', recoveryTarget: { targetTime: '2026-11-20 07:30:00.123456+00', backupID: '20261120T070000', targetTLI: '3' } } });
    expect(spec['externalClusters']).toEqual([{ name: 'muster-source', plugin: { name: 'barman-cloud.cloudnative-pg.io', parameters: { barmanObjectName: 'orders-backups', serverName: 'orders' } } }]);
  });

  it('gets at most one target field, and no transaction that would be cut', () => {
    expect(targetField({ type: 'latest' })).toEqual({});
    expect(recoveryTarget({ type: 'lsn', value: '0/A', inclusive: false }, 'b', '2')).toEqual({ targetLSN: '0/A', exclusive: true, backupID: 'b', targetTLI: '2' });
    expect(targetField({ type: 'immediate' })).toEqual({ targetImmediate: true });
    expect(() => targetField({ type: 'xid', value: '4294967296' })).toThrow(/32 bits/);
  });
});

describe('where recovery stopped, by the timeline history', () => {
  const history = (reason: string) => `1\t0/3000000\tno recovery target specified\n\n2\t0/7000140\t${reason}\n`;
  it.each([
    ['before 2026-11-20 08:30:00.5+01', { kind: 'before', time: '2026-11-20T07:30:00.5Z' }],
    ['after 2026-11-20 07:30:00.123456+00', { kind: 'after', time: '2026-11-20T07:30:00.123456Z' }],
    ['after transaction 812', { kind: 'after', xid: '812' }],
    ['before LSN 0/7000100', { kind: 'lsn', lsn: '0/7000100' }],
    ['at restore point "before 2026"', { kind: 'restore-point', name: 'before 2026' }],
    ['reached consistency', { kind: 'consistency' }],
    ['no recovery target specified', { kind: 'end-of-wal' }],
  ])('%s', (reason, stop) => {
    expect(readHistoryReason(history(reason))?.stop).toEqual(stop);
    expect(readHistory(history(reason)).at(-1)).toEqual({ timeline: 2, switchLsn: '0/7000140' });
  });

  it('is not guessed where it says nothing that is known', () => {
    expect(readHistoryReason('')).toBeNull();
    expect(readHistoryReason(history('because'))).toBeNull();
  });
});
