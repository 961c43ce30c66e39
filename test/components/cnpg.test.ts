import { fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { processesWith } from '../../src/clients/process/identity.js';
import { packageRoot } from '../../src/engine/package-root.js';
import type { Call, Start } from './cnpg/channel.js';
import { startCnpg, type Cnpg } from './cnpg/index.js';
import type { Cluster } from './cnpg/api/types.js';
import { markerName } from './cnpg/postgres/place.js';
import { requireOwnKubernetes, startKubernetes, type Cluster as Kubernetes, type KubernetesObject } from './kubernetes/index.js';

const describe = await requireOwnKubernetes('a stand-in is the operator of CloudNativePG');
const clusters = '/apis/postgresql.cnpg.io/v1/namespaces/databases/clusters';
const pods = '/api/v1/namespaces/databases/pods';
const backups = '/apis/postgresql.cnpg.io/v1/namespaces/databases/backups';

describe('the stand-in for CloudNativePG', () => {
  let kubernetes: Kubernetes;
  let cnpg: Cnpg;
  const clients: pg.Client[] = [];

  beforeAll(async () => {
    kubernetes = await startKubernetes({ nodes: [] });
    cnpg = await startCnpg({ kubeconfigOf: (user) => kubernetes.kubeconfigOf(user), pooler: 'app-pooler' });
    const client = await connect('app-db-rw');
    await client.query('CREATE TABLE rows (id bigint PRIMARY KEY)');
  });

  beforeEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.end().catch(() => undefined)));
    await cnpg.control.set({ slow: {}, neverElects: false, staysAway: [], archivingFails: false });
  });

  afterAll(async () => {
    await cnpg?.stop();
    await kubernetes?.stop();
  });

  async function connect(service: string, cluster = 'app-db'): Promise<pg.Client> {
    const client = new pg.Client({ ...(await cnpg.address(service)), ...(await cnpg.credentials(cluster, 'superuser')), database: 'app', connectionTimeoutMillis: 5_000 });
    client.on('error', () => undefined);
    await client.connect();
    clients.push(client);
    return client;
  }

  /** What a client that tries again sees at last. */
  async function connected(service: string, cluster?: string): Promise<pg.Client> {
    let client: pg.Client | undefined;
    await expect.poll(async () => (client = await connect(service, cluster).catch(() => undefined)) !== undefined, { timeout: 30_000 }).toBe(true);
    if (client === undefined) throw new Error('not connected');
    return client;
  }

  async function read(client: pg.Client): Promise<number[]> {
    return (await client.query<{ id: string }>('SELECT id FROM rows ORDER BY id')).rows.map(({ id }) => Number(id));
  }

  async function write(client: pg.Client, from: number, to: number): Promise<void> {
    for (let id = from; id <= to; id += 1) await client.query('INSERT INTO rows VALUES ($1)', [id]);
  }

  async function status(cluster = 'app-db'): Promise<NonNullable<Cluster['status']>> {
    return ((await kubernetes.request(`GET`, `${clusters}/${cluster}`)).status ?? {}) as NonNullable<Cluster['status']>;
  }

  async function condition(type: string, cluster?: string): Promise<string | undefined> {
    return (await status(cluster)).conditions?.find((each) => each.type === type)?.status;
  }

  async function failOver(): Promise<{ readonly old: string; readonly chosen: string }> {
    const old = (await status()).currentPrimary ?? '';
    await kubernetes.request('DELETE', `${pods}/${old}`, { gracePeriodSeconds: 1 });
    await expect.poll(async () => (await status()).currentPrimary, { timeout: 30_000 }).not.toBe(old);
    return { old, chosen: (await status()).currentPrimary ?? '' };
  }

  it('runs a primary with two streaming replicas behind Services and a Pooler', async () => {
    const primary = await connect('app-pooler');
    const { rows } = await primary.query('SELECT application_name AS name, sync_state FROM pg_stat_replication ORDER BY 1');
    expect(rows).toEqual([{ name: 'app-db-2', sync_state: 'async' }, { name: 'app-db-3', sync_state: 'async' }]);
    const replica = await connect('app-db-ro');
    expect((await replica.query('SELECT pg_is_in_recovery() AS there')).rows).toEqual([{ there: true }]);
    const { items } = await kubernetes.request<{ items: KubernetesObject[] }>('GET', `${pods}?labelSelector=cnpg.io/cluster=app-db`);
    expect(items.map(({ metadata }) => metadata.labels?.['cnpg.io/instanceRole'])).toEqual(['primary', 'replica', 'replica']);
    const app = await cnpg.credentials('app-db', 'app');
    const owner = new pg.Client({ ...(await cnpg.address('app-db-rw')), ...app });
    await owner.connect();
    expect((await owner.query('SELECT current_user AS "user", current_database() AS database')).rows).toEqual([{ user: app.user, database: 'app' }]);
    await owner.end();
    expect(await status()).toMatchObject({ phase: 'Cluster in healthy state', currentPrimary: 'app-db-1', targetPrimary: 'app-db-1', readyInstances: 3, timelineID: 1 });
    expect(await condition('Ready')).toBe('True');
  });

  it('promotes the most advanced replica when the pod of the primary is deleted, and takes the old one back', async () => {
    const before = await cnpg.healthy();
    const { old, chosen } = await failOver();
    const after = await cnpg.healthy();
    expect(after.status).toMatchObject({ timelineID: Number(before.status?.['timelineID']) + 1, systemID: before.status?.['systemID'], targetPrimary: chosen });
    expect((await kubernetes.request('GET', `${pods}/${old}`)).metadata.labels).toMatchObject({ role: 'replica' });
    const lease = await kubernetes.request('GET', '/apis/coordination.k8s.io/v1/namespaces/databases/leases/app-db');
    expect(lease.spec?.['holderIdentity']).toBe(chosen);
    const client = await connected('app-db-rw');
    await expect.poll(async () => (await client.query('SELECT application_name AS name FROM pg_stat_replication')).rowCount).toBe(2);
  });

  it('loses exactly the rows that were acknowledged while all WAL receivers were frozen', async () => {
    const client = await connected('app-db-rw');
    await write(client, 1, 20);
    await cnpg.control.freezeReceivers('app-db');
    await write(client, 21, 57);
    await failOver();
    expect(await read(await connected('app-db-rw'))).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
    await cnpg.healthy();
  });

  it('promotes the replica that has received most', async () => {
    const { currentPrimary } = (await cnpg.healthy()).status ?? {};
    const [behind = '', ahead = ''] = ['app-db-1', 'app-db-2', 'app-db-3'].filter((name) => name !== currentPrimary);
    const client = await connected('app-db-rw');
    await client.query('TRUNCATE rows');
    await cnpg.control.freezeReceivers('app-db', [behind]);
    await write(client, 1, 30);
    expect((await failOver()).chosen).toBe(ahead);
    expect(await read(await connected('app-db-rw'))).toHaveLength(30);
    await cnpg.healthy();
  });

  it('loses nothing that was acknowledged with synchronous replication', async () => {
    await kubernetes.request('PATCH', `${clusters}/app-db`, { spec: { postgresql: { synchronous: { method: 'any', number: 1 } } } });
    const client = await connected('app-db-rw');
    await expect.poll(async () => (await client.query("SELECT 1 FROM pg_stat_replication WHERE sync_state = 'quorum'")).rowCount).toBe(2);
    await client.query('TRUNCATE rows');
    const acknowledged: number[] = [];
    const writing = (async () => {
      for (let id = 1; ; id += 1) {
        await client.query('INSERT INTO rows VALUES ($1)', [id]);
        acknowledged.push(id);
      }
    })().catch(() => undefined);
    await expect.poll(() => acknowledged.length).toBeGreaterThan(100);
    await failOver();
    await writing;
    const there = new Set(await read(await connected('app-db-rw')));
    expect(acknowledged.filter((id) => !there.has(id))).toEqual([]);
    await kubernetes.request('PATCH', `${clusters}/app-db`, { spec: { postgresql: { synchronous: null } } });
    await cnpg.healthy();
  });

  it('switches over when the status asks for it, without losing a row', async () => {
    const before = await cnpg.healthy();
    const client = await connected('app-db-rw');
    await client.query('TRUNCATE rows');
    await write(client, 1, 50);
    const target = ['app-db-1', 'app-db-2', 'app-db-3'].find((name) => name !== before.status?.currentPrimary) ?? '';
    await kubernetes.request('PATCH', `${clusters}/app-db/status`, { status: { targetPrimary: target, targetPrimaryTimestamp: new Date().toISOString(), phase: 'Switchover in progress', phaseReason: `Switching over to ${target}` } });
    await expect.poll(async () => (await status()).currentPrimary, { timeout: 30_000 }).toBe(target);
    const after = await cnpg.healthy();
    expect(after.status?.['timelineID']).toBe(Number(before.status?.['timelineID']) + 1);
    expect(await read(await connected('app-db-rw'))).toHaveLength(50);
  });

  it('stops a fenced primary and does not fail over', async () => {
    const { currentPrimary = '', timelineID } = (await cnpg.healthy()).status ?? {};
    await kubernetes.request('PATCH', `${clusters}/app-db`, { metadata: { annotations: { 'cnpg.io/fencedInstances': JSON.stringify([currentPrimary]) } } });
    await expect.poll(async () => (await status())['readyInstances']).toBe(2);
    await expect(connect('app-db-rw')).rejects.toThrow();
    expect(await status()).toMatchObject({ currentPrimary, targetPrimary: currentPrimary });
    expect((await kubernetes.request('GET', `${pods}/${currentPrimary}`)).status?.['phase']).toBe('Running');
    await kubernetes.request('PATCH', `${clusters}/app-db`, { metadata: { annotations: { 'cnpg.io/fencedInstances': null } } });
    expect((await cnpg.healthy()).status).toMatchObject({ currentPrimary, timelineID });
    await connected('app-db-rw');
  });

  it('never gets past `pending` when it does not elect', async () => {
    await cnpg.healthy();
    await cnpg.control.set({ neverElects: true });
    const old = (await status()).currentPrimary ?? '';
    await kubernetes.request('DELETE', `${pods}/${old}`, { gracePeriodSeconds: 0 });
    await expect.poll(async () => (await cnpg.control.happened()).at(-1)?.what).toBe('receivers-down');
    expect(await status()).toMatchObject({ phase: 'Failing over', targetPrimary: 'pending', currentPrimary: old });
    expect(await condition('Ready')).toBe('False');
    await cnpg.control.set({ neverElects: false });
    await cnpg.healthy();
    expect((await status()).currentPrimary).not.toBe(old);
  });

  it('is never healthy again while a replica does not come back', async () => {
    await cnpg.healthy();
    const { old } = { old: (await status()).currentPrimary ?? '' };
    await cnpg.control.set({ staysAway: [old] });
    await failOver();
    await expect.poll(async () => status(), { timeout: 30_000 }).toMatchObject({ phase: 'Waiting for the instances to become active', readyInstances: 2 });
    await cnpg.control.set({ staysAway: [] });
    await cnpg.healthy();
  });

  it('fails over when the server of the primary is killed and its pod stays', async () => {
    const { currentPrimary: old = '' } = (await cnpg.healthy()).status ?? {};
    const { uid } = (await kubernetes.request('GET', `${pods}/${old}`)).metadata;
    await cnpg.control.killServer('app-db', old);
    await expect.poll(async () => (await status()).currentPrimary, { timeout: 30_000 }).not.toBe(old);
    await cnpg.healthy();
    expect((await kubernetes.request('GET', `${pods}/${old}`)).metadata).toMatchObject({ uid, labels: { role: 'replica' } });
  });

  it('goes on without a replica that is lost', async () => {
    const before = (await cnpg.healthy()).status;
    const replica = ['app-db-1', 'app-db-2', 'app-db-3'].find((name) => name !== before?.currentPrimary) ?? '';
    await cnpg.control.loseReplica('app-db', replica);
    await expect.poll(async () => status()).toMatchObject({ phase: 'Waiting for the instances to become active', readyInstances: 2, currentPrimary: before?.currentPrimary, timelineID: before?.['timelineID'] });
    await write(await connected('app-db-rw'), 1_001, 1_002);
    await cnpg.control.set({ staysAway: [] });
    await cnpg.healthy();
  });

  it('waits before a stage as long as it is told to', async () => {
    await cnpg.healthy();
    await cnpg.control.set({ slow: { detection: 700, election: 400 } });
    await failOver();
    const at = async (what: string): Promise<number> => (await cnpg.control.happened()).findLast((event) => event.what === what)?.at ?? 0;
    expect((await at('failover-started')) - (await at('primary-lost'))).toBeGreaterThanOrEqual(699);
    expect((await at('elected')) - (await at('receivers-down'))).toBeGreaterThanOrEqual(399);
  });

  it('tells that archiving fails, and that it works again', async () => {
    await cnpg.healthy();
    const client = await connected('app-db-rw');
    await cnpg.control.set({ archivingFails: true });
    await client.query("SELECT pg_switch_wal() FROM pg_create_restore_point('x')");
    await expect.poll(() => condition('ContinuousArchiving'), { timeout: 30_000 }).toBe('False');
    await cnpg.control.set({ archivingFails: false });
    await expect.poll(() => condition('ContinuousArchiving'), { timeout: 30_000 }).toBe('True');
  });

  it('takes two backups that are asked for at once, under two names', async () => {
    await cnpg.healthy();
    const names = ['twin-a', 'twin-b'].map((name) => `${name}-${randomUUID().slice(0, 6)}`);
    const finished = (name: string) => expect.poll(async () => (await kubernetes.request('GET', `${backups}/${name}`)).status?.['phase'], { timeout: 60_000 }).toBe('completed');
    await Promise.all(names.map((name) => kubernetes.request('POST', backups, { apiVersion: 'postgresql.cnpg.io/v1', kind: 'Backup', metadata: { name }, spec: { cluster: { name: 'app-db' }, method: 'plugin', pluginConfiguration: { name: 'barman-cloud.cloudnative-pg.io' } } })));
    await Promise.all(names.map(finished));
    const ids = await Promise.all(names.map(async (name) => (await kubernetes.request('GET', `${backups}/${name}`)).status?.['backupId']));
    expect(new Set(ids).size).toBe(2);
  });

  it.each(['plugin', 'in-tree'])('recovers a new Cluster to a time from its archive (%s)', async (form) => {
    await cnpg.healthy();
    const client = await connected('app-db-rw');
    await client.query('TRUNCATE rows');
    await kubernetes.request('POST', backups, { apiVersion: 'postgresql.cnpg.io/v1', kind: 'Backup', metadata: { name: form }, spec: { cluster: { name: 'app-db' }, method: 'plugin', pluginConfiguration: { name: 'barman-cloud.cloudnative-pg.io' } } });
    await expect.poll(async () => (await kubernetes.request('GET', `${backups}/${form}`)).status?.['phase'], { timeout: 60_000 }).toBe('completed');
    // barman-cloud knows seconds only: the target has to be after the second in which the backup ended.
    await write(client, 1, 10);
    const target = new Date(Date.now() + 1_000);
    await expect.poll(async () => (await client.query('SELECT clock_timestamp() > $1 AS over', [target])).rows[0]?.over as boolean, { timeout: 5_000 }).toBe(true);
    await write(client, 11, 30);
    await client.query('SELECT pg_switch_wal()');
    const archived = async (): Promise<boolean> => (await client.query("SELECT last_archived_time > $1 AS over FROM pg_stat_archiver", [target])).rows[0]?.over as boolean;
    await expect.poll(archived, { timeout: 30_000 }).toBe(true);
    const source = form === 'plugin' ? { plugin: { name: 'barman-cloud.cloudnative-pg.io', parameters: { barmanObjectName: cnpg.objectStore, serverName: 'app-db' } } } : { barmanObjectStore: { destinationPath: cnpg.destinationPath, serverName: 'app-db' } };
    const name = `restored-${form}`;
    await kubernetes.request('POST', clusters, {
      apiVersion: 'postgresql.cnpg.io/v1',
      kind: 'Cluster',
      metadata: { name },
      spec: { instances: 1, enableSuperuserAccess: true, bootstrap: { recovery: { source: 'origin', database: 'app', owner: 'app', recoveryTarget: { targetTime: target.toISOString() } } }, externalClusters: [{ name: 'origin', ...source }] },
    });
    const restored = await cnpg.healthy(name);
    expect(await read(await connect(`${name}-rw`, name))).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(restored.status?.['systemID']).toBe((await status())['systemID']);
    const store = await kubernetes.request('GET', `/apis/barmancloud.cnpg.io/v1/namespaces/databases/objectstores/${cnpg.objectStore}`);
    expect(store.status?.['serverRecoveryWindow']).toMatchObject({ 'app-db': { firstRecoverabilityPoint: expect.stringMatching(/Z$/) as string } });
    await kubernetes.request('DELETE', `${clusters}/${name}`);
    await expect.poll(async () => (await kubernetes.request<{ items: unknown[] }>('GET', `${pods}?labelSelector=cnpg.io/cluster=${name}`)).items, { timeout: 60_000 }).toEqual([]);
  });

  it('stays in "Setting up primary" when its target lies behind the end of the archive', async () => {
    await kubernetes.request('POST', clusters, {
      apiVersion: 'postgresql.cnpg.io/v1',
      kind: 'Cluster',
      metadata: { name: 'too-late' },
      spec: { instances: 1, bootstrap: { recovery: { source: 'app-db', recoveryTarget: { targetTime: '2099-01-01T00:00:00Z' } } }, externalClusters: [{ name: 'app-db', barmanObjectStore: { destinationPath: cnpg.destinationPath } }] },
    });
    const waiting = async (): Promise<unknown> => (await kubernetes.request('GET', `${pods}/too-late-1`).catch(() => undefined))?.status?.['containerStatuses'];
    await expect.poll(waiting, { timeout: 30_000 }).toMatchObject([{ state: { waiting: { message: expect.stringContaining('recovery ended before configured recovery target was reached') as string } } }]);
    expect((await status('too-late')).phase).toBe('Setting up primary');
    await kubernetes.request('DELETE', `${clusters}/too-late`);
  });

  it('stays in "Setting up primary" when its archive is in use already', async () => {
    await kubernetes.request('POST', clusters, {
      apiVersion: 'postgresql.cnpg.io/v1',
      kind: 'Cluster',
      metadata: { name: 'contender' },
      spec: { instances: 1, plugins: [{ name: 'barman-cloud.cloudnative-pg.io', isWALArchiver: true, parameters: { barmanObjectName: cnpg.objectStore, serverName: 'app-db' } }] },
    });
    await expect.poll(async () => (await status('contender')).conditions?.find(({ type }) => type === 'ContinuousArchiving')?.message, { timeout: 20_000 }).toContain('Expected empty archive');
    expect((await status('contender')).phase).toBe('Setting up primary');
    await kubernetes.request('DELETE', `${clusters}/contender`);
  });

  it('calls a hibernated Cluster healthy with no instance ready', async () => {
    await cnpg.healthy();
    await kubernetes.request('PATCH', `${clusters}/app-db`, { metadata: { annotations: { 'cnpg.io/hibernation': 'on' } } });
    await expect.poll(async () => status(), { timeout: 60_000 }).toMatchObject({ phase: 'Cluster in healthy state', readyInstances: 0 });
    await expect(connect('app-db-rw')).rejects.toThrow();
    await kubernetes.request('PATCH', `${clusters}/app-db`, { metadata: { annotations: { 'cnpg.io/hibernation': null } } });
    await expect.poll(async () => (await status())['readyInstances'], { timeout: 60_000 }).toBe(3);
    await connected('app-db-rw');
  });

  it('leaves no server and no folder when its process is killed, or that of the tests dies', async () => {
    const instances = await cnpg.control.instances('app-db');
    process.kill(cnpg.pid, 'SIGKILL');
    await expect.poll(() => instances.filter(({ pid }) => pid !== undefined && existsSync(`/proc/${pid}`)), { timeout: 20_000 }).toEqual([]);
    await expect.poll(() => existsSync(dirname(dirname(dirname(instances[0]?.dataDir ?? '/')))), { timeout: 20_000 }).toBe(false);

    const folder = mkdtempSync(join(tmpdir(), 'muster-cnpg-'));
    chmodSync(folder, 0o755);
    const operator = fork(join(packageRoot(), 'test/components/cnpg/child.mjs'), [], { cwd: packageRoot(), execArgv: [], env: { PATH: process.env['PATH'], TMPDIR: tmpdir() }, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    const ended = once(operator, 'exit');
    const answered = once(operator, 'message');
    const start: Start = { folder, kubeconfigs: { operator: kubernetes.kubeconfigOf('cnpg'), instances: kubernetes.kubeconfigOf('cnpg'), kubelets: kubernetes.kubeconfigOf('cnpg'), cloud: kubernetes.kubeconfigOf('cnpg') }, nodePrefix: 'cnpg-orphan', leaseSeconds: 2 };
    operator.send({ id: 1, method: 'start', start } satisfies Call);
    expect((await answered)[0]).toEqual({ id: 1 });
    const servers = (): Promise<readonly number[]> => processesWith([`${markerName}=${folder}`]);
    await expect.poll(servers, { timeout: 30_000 }).not.toEqual([]);
    // The kernel closes the channel of a process that dies.
    operator.disconnect();
    await ended;
    await expect.poll(servers, { timeout: 20_000 }).toEqual([]);
    await expect.poll(() => existsSync(folder), { timeout: 20_000 }).toBe(false);
  });
});
