import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { PostgresSession } from '../../../src/clients/postgres/port.js';
import { probe as archive } from '../../../src/steps/postgres/archive.js';
import { probe as availability } from '../../../src/steps/postgres/availability.js';
import { probe as ledger } from '../../../src/steps/postgres/ledger.js';
import { probe as load } from '../../../src/steps/postgres/load.js';
import { probe as lsn } from '../../../src/steps/postgres/lsn.js';
import { step as seed } from '../../../src/steps/postgres/seed.js';
import { step as switchWal } from '../../../src/steps/postgres/switch-wal.js';
import { parseLsn } from '../../../src/steps/postgres/lib/wal-name.js';
import { postgresRig, type Rig } from './rig.js';

let rig: Rig;
let session: PostgresSession;

beforeAll(async () => {
  rig = await postgresRig();
  await rig.here.provision('backups', 'directory', 'source');
  await rig.here.provision('source', 'embedded-postgres', 'source', { archiveTo: 'backups' });
  await rig.here.provision('other', 'embedded-postgres', 'target');
  session = await rig.session('source');
  await rig.step(seed, { server: 'source', rows: 1000 });
});
afterAll(() => rig.close());

const until = (condition: () => boolean | Promise<boolean>) => vi.waitUntil(condition, { timeout: 20_000, interval: 10 });

describe('postgres.availability', () => {
  const last = () => rig.samples('probe.sample').at(-1);

  it('tells reads from writes when a table is dropped, and follows the endpoint', async () => {
    rig.endpoint('app', 'source');
    await session.query('CREATE TABLE shop (n int)');
    const running = await rig.probe(availability, { endpoint: 'app', table: 'shop', every: '10ms', control: { server: 'other' } });
    await until(() => last()?.read === true && last()?.write === true);
    expect(last()).toMatchObject({ control: true, endpoint: 'app' });
    await session.query('DROP TABLE shop');
    await until(() => last()?.read === false);
    expect(last()).toMatchObject({ read: false, write: true, error: expect.stringContaining('42P01') as string });
    await session.query('CREATE TABLE shop (n int)');
    await until(() => last()?.read === true);
    await session.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE '%probe%'");
    const before = rig.samples('probe.sample').length;
    await until(() => rig.samples('probe.sample').length > before + 2 && last()?.write === true);
    await running.end();
    const samples = rig.samples('probe.sample');
    for (const [at, { sent, done }] of samples.entries()) {
      expect(BigInt(done.mono)).toBeGreaterThan(BigInt(sent.mono));
      if (at > 0) expect(BigInt(sent.mono)).toBeGreaterThanOrEqual(BigInt(samples[at - 1]?.done.mono ?? 0));
    }
    const rows = await session.query('SELECT FROM muster_availability');
    expect(rows.rowCount).toBe(1);
  });

  it('calls a server that takes no writes half healthy, and one that does not answer in time not healthy', async () => {
    rig.endpoint('app', 'source');
    const running = await rig.probe(availability, { endpoint: 'app', every: '10ms', timeout: '150ms' });
    await until(() => last()?.write === true);
    await session.query('BEGIN');
    await session.query('LOCK TABLE muster_availability IN EXCLUSIVE MODE');
    await until(() => last()?.write === false);
    expect(last()).toMatchObject({ read: true, write: false, error: expect.stringContaining('150 ms') as string });
    await session.query('ROLLBACK');
    await until(() => last()?.write === true);
    await running.end();
  });
});

describe('postgres.ledger', () => {
  it('numbers rows without reuse, acknowledges only what was committed, and reads back ranges with their gaps', async () => {
    rig.endpoint('app', 'source');
    const running = await rig.probe(ledger, { endpoint: 'app', every: '5ms', timeout: '200ms' });
    const acked = () => rig.samples('ledger.row').filter((row) => row.acked !== null);
    await until(() => acked().length > 10);
    // In flight while the table is locked: sent, never acknowledged.
    await session.query('BEGIN');
    await session.query('LOCK TABLE muster_ledger IN EXCLUSIVE MODE');
    await until(() => rig.samples('ledger.row').some((row) => row.acked === null));
    await session.query('ROLLBACK');
    const resumed = acked().length;
    await until(() => acked().length > resumed + 10);
    const lost = [acked()[3]?.n ?? 0, acked()[5]?.n ?? 0];
    await session.query('DELETE FROM muster_ledger WHERE n = ANY ($1)', [lost]);
    await running.end();

    const sent = rig.samples('ledger.row').map(({ n }) => n);
    expect(sent).toEqual(sent.map((_, at) => at + 1));
    for (const { sent: from, acked: to } of acked()) expect(BigInt(to?.mono ?? 0)).toBeGreaterThan(BigInt(from.mono));
    const [recovered] = rig.samples('ledger.recovered');
    const present = new Set((recovered?.ranges ?? []).flatMap(([from, to]) => Array.from({ length: to - from + 1 }, (_, at) => from + at)));
    for (const { n } of acked()) expect(present.has(n), `row ${n}`).toBe(!lost.includes(n));
    expect(recovered).toMatchObject({ timeline: 1, systemId: expect.stringMatching(/^\d{15,}$/) as string });
    expect(recovered?.ranges.length).toBeGreaterThanOrEqual(3);
  });

  it('goes on at another server after a switch, and finds there only what is there', async () => {
    rig.endpoint('app', 'source');
    const running = await rig.probe(ledger, { endpoint: 'app', every: '5ms' });
    const before = rig.samples('ledger.row').length;
    await until(() => rig.samples('ledger.row').length > before + 5);
    rig.endpoint('app', 'other');
    await session.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE '%probe%'");
    const other = await rig.session('other');
    await until(async () => (await other.query("SELECT to_regclass('muster_ledger') IS NOT NULL AS there")).rows[0]?.['there'] === true && (await other.query('SELECT FROM muster_ledger')).rowCount > 3);
    await running.end();
    const first = rig.samples('ledger.recovered').at(-1)?.ranges[0]?.[0] ?? 0;
    expect(first).toBeGreaterThan(5);
  });
});

describe('postgres.load', () => {
  it('moves money without making or losing any, also while its table is dropped and connections break', async () => {
    rig.endpoint('app', 'source');
    const total = async () => (await session.query<{ sum: string }>('SELECT sum(balance)::text AS sum FROM accounts')).rows[0]?.sum;
    const transfers = async () => (await session.query('SELECT FROM transfers')).rowCount;
    const before = await total();
    const running = await rig.probe(load, { endpoint: 'app', table: 'orders', every: '2ms' });
    await until(async () => (await transfers()) > 20);
    await session.query('DROP TABLE orders');
    const then = await transfers();
    await until(async () => (await transfers()) > then + 20);
    await session.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE '%probe%'");
    const later = await transfers();
    await until(async () => (await transfers()) > later + 20);
    await running.end();
    expect(await total()).toBe(before);
    expect(rig.logs.at(-1)).toMatch(/^transfers: \d+ committed/);
  });
});

describe('postgres.archive, postgres.lsn and postgres.switch-wal', () => {
  it('waits for the archive, samples what is in it, and lists it when the source is dead', async () => {
    const running = await rig.probe(archive, { server: 'source', repository: 'backups', every: '20ms' });
    const lsns = await rig.probe(lsn, { server: 'source', every: '10ms' });
    expect(rig.evidence('archive')).toMatchObject({ when: 'before', sourceTimeline: 1 });
    const ended = await rig.step(switchWal, { server: 'source' });
    expect((await rig.here.port.repository('backups').archive()).map(({ name }) => name)).toContain(ended.segment);
    await until(() => rig.samples('archive.sample').at(-1)?.lastArchived === ended.segment);
    const sample = rig.samples('archive.sample').at(-1);
    expect(parseLsn(sample?.endLsn ?? '0/0')).toBeGreaterThanOrEqual(parseLsn(ended.lsn));
    expect(sample).toMatchObject({ failed: 0, store: 'source' });
    await until(() => parseLsn(rig.samples('lsn.sample').at(-1)?.lsn ?? '0/0') > parseLsn(ended.lsn));
    await lsns.end();
    await rig.here.port.local('source').stop('immediate');
    await running.end();
    const after = rig.evidence('archive');
    expect(after).toMatchObject({ when: 'after', sourceTimeline: 1, removed: [], changed: [] });
    expect(after.added).toContainEqual({ name: ended.segment, timeline: 1 });
    await rig.here.port.local('source').start({ wait: 'accepting', timeoutMs: 60_000 });
    session = await rig.session('source');
  });

  it('says that archiving fails, and does not wait for ever', async () => {
    await session.query("ALTER SYSTEM SET archive_command = 'false'");
    await session.query('SELECT pg_reload_conf()');
    await until(async () => (await (await rig.session('source')).query('SHOW archive_command')).rows[0]?.['archive_command'] === 'false');
    await expect(rig.step(switchWal, { server: 'source', wait: '30s' })).rejects.toMatchObject({ code: 'archiving-fails', retryable: true });
    await session.query("ALTER SYSTEM SET archive_mode = 'off'");
    await rig.here.port.local('source').stop('fast');
    await rig.here.port.local('source').start({ wait: 'accepting', timeoutMs: 60_000 });
    await expect(rig.step(switchWal, { server: 'source' })).rejects.toMatchObject({ code: 'archiving-off' });
  });
});
