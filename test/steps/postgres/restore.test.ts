import { existsSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { PostgresSession } from '../../../src/clients/postgres/port.js';
import type { EvidenceOf } from '../../../src/engine/kinds/index.js';
import { step as backup } from '../../../src/steps/postgres/backup.js';
import { probe as load } from '../../../src/steps/postgres/load.js';
import { step as marker } from '../../../src/steps/postgres/marker.js';
import { step as restore } from '../../../src/steps/postgres/restore.js';
import { step as seed } from '../../../src/steps/postgres/seed.js';
import { step as snapshot } from '../../../src/steps/postgres/snapshot.js';
import { step as switchWal } from '../../../src/steps/postgres/switch-wal.js';
import { step as verify } from '../../../src/steps/postgres/verify.js';
import { step as walEnd } from '../../../src/steps/postgres/wal-end.js';
import { parseLsn } from '../../../src/steps/postgres/lib/wal-name.js';
import { debianBinaries } from '../../components/postgres.js';
import { postgresRig, type Rig } from './rig.js';

// Many servers are started and stopped here.
vi.setConfig({ testTimeout: 300_000 });

const tables = ['orders', 'accounts', 'transfers'];
const servers: [string, Record<string, unknown>][] = [['PostgreSQL from npm', {}], ...(existsSync(debianBinaries) ? [['PostgreSQL 15', { binaries: debianBinaries }] as [string, Record<string, unknown>]] : [])];

describe.each(servers)('a restore on %s', (_, binaries) => {
  let rig: Rig;
  let source: PostgresSession;
  let copies = 0;

  beforeAll(async () => {
    rig = await postgresRig();
    await rig.here.provision('backups', 'directory', 'source');
    await rig.here.provision('source', 'embedded-postgres', 'source', { ...binaries, archiveTo: 'backups' });
    rig.endpoint('app', 'source');
    source = await rig.session('source');
    await rig.step(seed, { server: 'source', rows: 5_000, accounts: 20 });
    await rig.step(backup, { server: 'source', repository: 'backups' });
  });
  afterAll(() => rig.close());

  type Target = Parameters<typeof restore.run>[0]['target'];
  async function copyAt(target: Target, timeline: number | 'latest' = 1): Promise<{ name: string; end: EvidenceOf<'wal-end'> }> {
    const name = `copy-${(copies += 1)}`;
    await rig.here.provision(name, 'restored-postgres', 'target', binaries);
    await rig.step(restore, { repository: 'backups', into: name, target, timeline });
    await rig.step(walEnd, { server: name });
    return { name, end: rig.evidence('wal-end') };
  }

  it('holds at a time target exactly what the snapshot says, while four clients write', async () => {
    const running = await Promise.all([0, 1, 2, 3].map(() => rig.probe(load, { endpoint: 'app', every: '0' })));
    const transfers = async () => (await source.query('SELECT FROM transfers')).rowCount;
    const taken = [];
    for (let round = 0; round < 3; round += 1) {
      const from = await transfers();
      await vi.waitUntil(async () => (await transfers()) > from + 30, { timeout: 20_000 });
      const before = await rig.step(marker, { server: 'source' });
      const reference = await rig.step(snapshot, { server: 'source', tables });
      const after = await rig.step(marker, { server: 'source' });
      taken.push({ before, reference, after });
    }
    for (const probe of running) await probe.stop();
    await rig.step(switchWal, { server: 'source' });
    const rows = taken.map(({ reference }) => reference.tables['transfers']?.rows ?? 0);
    expect(rows).toEqual([...rows].sort((a, b) => a - b));
    expect(new Set(rows).size).toBe(3);

    for (const { before, reference, after } of taken) {
      const { name, end } = await copyAt({ type: 'time', value: reference.time });
      const result = await rig.step(verify, { server: name, reference: 'snapshot', snapshot: reference.tables, present: [before.id], absent: [after.id] });
      expect(result, JSON.stringify(rig.evidence('reconciliation'))).toMatchObject({ tables: 3, findings: 0, notRun: 0 });
      expect(end.stop.kind).toBe('before');
      expect(end).toMatchObject({ connection: name, inRecovery: false, archiveMode: 'off', timeline: 2, history: [{ timeline: 1 }] });
      expect((end.stop.time ?? '') > reference.time).toBe(true);
      expect((end.lastCommitAt ?? '') <= reference.time).toBe(true);
      const sent = rig.evidence('restore-target');
      expect(sent).toMatchObject({ type: 'time', requested: reference.time, inclusive: true, timeline: '1' });
      expect(sent.sent).toMatch(/\+00$/);
      await rig.here.port.local(name).stop('immediate');
    }
  });

  it('holds at an LSN target what the snapshot says, and tells every way in which recovery can end', async () => {
    const { lsn, tables: expected } = await rig.step(snapshot, { server: 'source', tables });
    await source.query('BEGIN');
    const xid = (await source.query<{ x: string }>('SELECT pg_current_xact_id()::text AS x')).rows[0]?.x ?? '';
    await source.query("INSERT INTO transfers (debit, credit, amount) VALUES (1, 2, 1)");
    await source.query('COMMIT');
    await source.query("SELECT pg_create_restore_point('here \"we\" are')");
    await source.query("INSERT INTO transfers (debit, credit, amount) VALUES (1, 2, 1)");
    await rig.step(switchWal, { server: 'source' });

    const atLsn = await copyAt({ type: 'lsn', value: lsn });
    expect(await rig.step(verify, { server: atLsn.name, reference: 'snapshot', snapshot: expected, consistency: 'none' })).toMatchObject({ findings: 0 });
    expect(atLsn.end.stop.kind).toBe('lsn');
    expect(parseLsn(atLsn.end.stop.lsn ?? '0/0')).toBeGreaterThanOrEqual(parseLsn(lsn));
    const after = await copyAt({ type: 'xid', value: xid });
    expect(after.end.stop).toMatchObject({ kind: 'after', xid });
    expect(after.end.lastCommitAt).toBe(after.end.stop.time);
    expect((await copyAt({ type: 'xid', value: xid, inclusive: false })).end.stop).toMatchObject({ kind: 'before', xid });
    expect((await copyAt({ type: 'name', value: 'here "we" are' })).end.stop).toMatchObject({ kind: 'restore-point', name: 'here "we" are' });
    expect((await copyAt({ type: 'immediate' })).end.stop).toEqual({ kind: 'consistency' });
    expect(rig.evidence('restore-target')).toMatchObject({ sent: 'immediate', requested: null, inclusive: null });
    const latest = await copyAt({ type: 'latest' });
    expect(latest.end.stop).toEqual({ kind: 'end-of-wal' });
    const said = await rig.session(latest.name);
    const { rows } = await said.query<{ rows: number }>('SELECT count(*)::int AS rows FROM transfers');
    expect(rows[0]?.rows).toBe((expected['transfers']?.rows ?? 0) + 2);
    await said.close();

    // A restart loses the log of the recovery, and that is said instead of guessed.
    await rig.here.port.local(latest.name).stop('fast');
    await rig.here.port.local(latest.name).start({ wait: 'promoted', timeoutMs: 60_000 });
    await expect(rig.step(walEnd, { server: latest.name })).rejects.toMatchObject({ code: 'no-recovery-log' });
  });

  it('finds rows that are missing, doubled or changed, a flipped byte in a heap page, and broken constraints and indexes', async () => {
    const keep = await rig.step(marker, { server: 'source' });
    const extra = await rig.step(marker, { server: 'source' });
    await source.query('CREATE TABLE plain AS SELECT i AS n, repeat(md5(i::text), 20) AS t FROM generate_series(1, 2000) AS i');
    const reference = await rig.step(snapshot, { server: 'source', tables: ['plain', 'accounts', 'transfers'] });
    await rig.step(switchWal, { server: 'source' });
    const { name } = await copyAt({ type: 'latest' });
    const copy = await rig.session(name);
    const check = async (more: Partial<Parameters<typeof verify.run>[0]> = {}) => {
      await rig.step(verify, { server: name, reference: 'snapshot', snapshot: reference.tables, ...more });
      return rig.evidence('reconciliation');
    };
    const table = (found: EvidenceOf<'reconciliation'>, of: string) => found.tables.find((item) => item.table === of);
    expect((await check({ present: [keep.id, 'nobody'], absent: [extra.id] })).boundary).toEqual([
      { name: keep.id, expected: 'present', found: 'present' },
      { name: 'nobody', expected: 'present', found: 'absent' },
      { name: extra.id, expected: 'absent', found: 'present' },
    ]);
    // Order does not matter.
    await copy.query('CREATE TABLE turned AS SELECT * FROM plain ORDER BY n DESC');
    await copy.query('BEGIN');
    await copy.query('TRUNCATE plain');
    await copy.query('INSERT INTO plain SELECT * FROM turned');
    await copy.query('COMMIT');
    expect(table(await check({ consistency: 'none' }), 'plain')?.actual).toEqual(reference.tables['plain']);
    // One row in the place of another, of which there are two now: an exclusive or of pairs would not see two such changes.
    await copy.query('UPDATE plain SET (n, t) = (SELECT n, t FROM turned WHERE n = 5) WHERE n IN (6, 7)');
    const doubled = table(await check({ consistency: 'none' }), 'plain');
    expect(doubled?.actual?.rows).toBe(doubled?.expected?.rows);
    expect(doubled?.actual?.checksum).not.toBe(doubled?.expected?.checksum);
    await copy.query('DELETE FROM plain WHERE n = 9');
    expect(table(await check({ consistency: 'none' }), 'plain')?.actual?.rows).toBe(1999);

    const sound = await check();
    expect(sound.consistency.filter(({ ok }) => ok !== true)).toEqual([]);
    expect(sound.consistency.map(({ check: kind }) => kind).sort()).toEqual(['check', 'data-checksums', 'foreign-key', 'heap', 'index', 'pages']);
    expect((await copy.query("SELECT FROM pg_extension WHERE extname = 'amcheck'")).rowCount).toBe(0);

    await copy.query("SET session_replication_role = 'replica'");
    await copy.query('UPDATE transfers SET debit = 100000 WHERE id = (SELECT min(id) FROM transfers)');
    await copy.query("UPDATE pg_index SET indisready = false, indisvalid = false WHERE indexrelid = 'accounts_email_key'::regclass");
    await copy.query("INSERT INTO accounts VALUES (999, 'x', 'customer1@example.com', 1, now())");
    await copy.query("UPDATE pg_index SET indisready = true, indisvalid = true WHERE indexrelid = 'accounts_email_key'::regclass");
    const broken = await check({ invariants: [{ name: 'emails are unique', sql: 'SELECT FROM (SELECT email FROM accounts GROUP BY email HAVING count(*) > 1) AS d' }, { name: 'there are accounts', sql: 'SELECT count(*) > 0 FROM accounts' }, { name: 'nonsense', sql: 'SELECT FROM nothing' }] });
    expect(broken.consistency).toContainEqual(expect.objectContaining({ check: 'foreign-key', ok: false, object: 'transfers transfers_debit_fkey' }));
    expect(broken.consistency).toContainEqual(expect.objectContaining({ check: 'index', ok: false, object: 'accounts_email_key' }));

    const { rows } = await copy.query<{ path: string }>("SELECT pg_relation_filepath('plain') AS path");
    await copy.close();
    const local = rig.here.port.local(name);
    await local.stop('fast');
    const file = await open(join(local.dataDir, rows[0]?.path ?? ''), 'r+');
    const byte = Buffer.alloc(1);
    await file.read(byte, 0, 1, 3 * 8192 + 5000);
    await file.write(Buffer.from([(byte[0] ?? 0) ^ 1]), 0, 1, 3 * 8192 + 5000);
    await file.close();
    await local.start({ wait: 'accepting', timeoutMs: 60_000 });
    const flipped = await check();
    expect(table(flipped, 'plain')).toMatchObject({ actual: null, error: expect.stringMatching(/XX001/) as string });
    expect(table(flipped, 'accounts')?.actual).not.toBeNull();
    expect(flipped.consistency).toContainEqual(expect.objectContaining({ check: 'pages', object: 'plain', ok: false }));
    expect(flipped.consistency).toContainEqual(expect.objectContaining({ check: 'foreign-key', ok: false }));
    expect(broken.invariants.map(({ holds }) => holds)).toEqual([false, true, false]);
  });

  it('fails with the reason when the target lies beyond the archived WAL, and takes its copy away', async () => {
    const name = `copy-${(copies += 1)}`;
    await rig.here.provision(name, 'restored-postgres', 'target', binaries);
    const failure = rig.step(restore, { repository: 'backups', into: name, target: { type: 'time', value: new Date(Date.now() + 86_400_000).toISOString() } });
    await expect(failure).rejects.toThrow(/recovery ended before configured recovery target was reached/);
    await expect(rig.step(restore, { repository: 'backups', into: name, target: { type: 'latest' } })).rejects.toMatchObject({ code: 'not-empty' });
    const { dataDir } = rig.here.port.local(name);
    const first = rig.here.port.local('copy-1').dataDir;
    await rig.cleanUp();
    expect(existsSync(dataDir)).toBe(false);
    expect(existsSync(first)).toBe(false);
  });
});
