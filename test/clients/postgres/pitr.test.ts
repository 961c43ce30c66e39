import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { BackupInfo, PostgresSession, RestoreRequest } from '../../../src/clients/postgres/port.js';
import { postgresWorld, type PostgresWorld } from '../../components/postgres.js';

type Target = RestoreRequest['target'];

/** One source with numbered rows, and what each kind of target calls the moment after row 2. */
let here: PostgresWorld;
let source: PostgresSession;
let backup: BackupInfo;
const at: { time: string; lsn: string; xid: string; name: string } = { time: '', lsn: '', xid: '', name: 'after-two' };

async function row(n: number): Promise<void> {
  await source.query('INSERT INTO seen VALUES ($1)', [n]);
}

async function value(sql: string): Promise<string> {
  return (await source.query<{ v: string }>(`SELECT (${sql})::text AS v`)).rows[0]?.v ?? '';
}

beforeAll(async () => {
  here = await postgresWorld();
  await here.provision('backups', 'directory', 'source');
  await here.provision('source', 'embedded-postgres', 'source', { archiveTo: 'backups', settings: { max_connections: '123' } });
  source = await here.port.connect({ connection: 'source' }, { effect: 'modify' });
  await source.query('CREATE TABLE seen (n int PRIMARY KEY)');
  await row(1);
  backup = await here.port.repository('backups').backup('source', new AbortController().signal);
  await source.query('BEGIN');
  await row(2);
  at.xid = await value('pg_current_xact_id()');
  await source.query('COMMIT');
  at.lsn = await value('pg_current_wal_lsn()');
  at.time = (await value('clock_timestamp()')).replace(' ', 'T').replace('+00', 'Z');
  await source.query('SELECT pg_create_restore_point($1)', [at.name]);
  await row(3);
  await source.query('SELECT pg_switch_wal()');
  await archived();
});

afterAll(() => here.close());

/** Until everything written so far is in the archive. */
async function archived(): Promise<void> {
  const last = await value('pg_walfile_name(pg_current_wal_lsn() - 1)');
  await vi.waitUntil(async () => (await here.port.repository('backups').archive()).some(({ name }) => name === last), { timeout: 30_000 });
}

let copies = 0;

async function restore(target: Target): Promise<{ rows: number[]; archiveMode: string; connections: string; settings: Record<string, string>; name: string }> {
  const name = `copy-${(copies += 1)}`;
  await here.provision(name, 'restored-postgres', 'target');
  const prepared = await here.port.repository('backups').prepareRestore({ into: name, backup: 'latest-before-target', target, timeline: 'current', settings: {} }, new AbortController().signal);
  await here.port.local(name).start({ wait: 'promoted', timeoutMs: 60_000 });
  const session = await here.port.connect({ connection: name }, { effect: 'read' });
  const { rows } = await session.query<{ n: number }>('SELECT n FROM seen ORDER BY n');
  const { rows: facts } = await session.query<{ a: string; c: string }>("SELECT current_setting('archive_mode') AS a, current_setting('max_connections') AS c");
  await session.close();
  await here.port.local(name).stop('fast');
  return { rows: rows.map(({ n }) => n), archiveMode: facts[0]?.a ?? '', connections: facts[0]?.c ?? '', settings: { ...prepared.settings }, name };
}

describe('point-in-time recovery from a directory repository', () => {
  it('lists the backup with what identifies it', async () => {
    const listed = await here.port.repository('backups').list();
    expect(listed).toEqual([backup]);
    expect(backup).toMatchObject({ timeline: 1, origin: 'drill', systemId: await value('SELECT system_identifier FROM pg_control_system()') });
    expect(backup.serverVersion).toMatch(/^18\./);
    expect(Date.parse(backup.finishedAt)).toBeGreaterThanOrEqual(Date.parse(backup.startedAt));
  });

  it('says how many bytes it holds, without the label that was added', async () => {
    const folder = join(String(here.world.connections.get('backups')?.details['path']), 'base', backup.name, 'data');
    const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile() && entry.name !== 'backup_label');
    expect(backup.sizeBytes).toBe(files.reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0));
  });

  it.each<[string, () => Target, number[]]>([
    ['a time with Z', () => ({ type: 'time', value: at.time }), [1, 2]],
    ['an LSN', () => ({ type: 'lsn', value: at.lsn }), [1, 2]],
    ['a named restore point', () => ({ type: 'name', value: at.name }), [1, 2]],
    ['a transaction', () => ({ type: 'xid', value: at.xid }), [1, 2]],
    ['just before a transaction', () => ({ type: 'xid', value: at.xid, inclusive: false }), [1]],
    ['the end of the backup', () => ({ type: 'immediate' }), [1]],
    ['the end of the archive', () => ({ type: 'latest' }), [1, 2, 3]],
  ])('restores to %s and never archives', async (_, target, rows) => {
    const before = (await here.port.repository('backups').archive()).map(({ name }) => name);
    const restored = await restore(target());
    expect(restored.rows).toEqual(rows);
    expect(restored.archiveMode).toBe('off');
    expect(restored.connections).toBe('123');
    const { type } = target();
    expect(Object.keys(restored.settings).filter((name) => /^recovery_target(_time|_lsn|_name|_xid)?$/.test(name))).toHaveLength(type === 'latest' ? 0 : 1);
    expect((await here.port.repository('backups').archive()).map(({ name }) => name)).toEqual(before);
  });

  it('ends with the FATAL line when the archive ends before the target', async () => {
    await expect(restore({ type: 'lsn', value: 'FF/0' })).rejects.toMatchObject({
      code: 'postgres-start-failed',
      message: expect.stringContaining('FATAL: recovery ended before configured recovery target was reached') as string,
      hint: expect.stringContaining('archived WAL ends before the target') as string,
    });
    expect(await here.port.local(`copy-${copies}`).running()).toBe(false);
  });

  it('ends with an error when a segment of the archive cannot be read, instead of promoting with rows missing', async () => {
    const { restoreCommand } = await import('../../../src/clients/postgres/directory/restore.js');
    const { execFileSync } = await import('node:child_process');
    const { mkdirSync, writeFileSync } = await import('node:fs');
    const wal = `${here.folder}/it's 100% wal`;
    const exit = (file: string): number => {
      try {
        execFileSync('/bin/sh', ['-c', restoreCommand(wal).replaceAll('%f', file).replaceAll('%p', `${here.folder}/fetched`).replaceAll('%%', '%')], { stdio: 'ignore' });
        return 0;
      } catch (error) {
        return (error as { status: number }).status;
      }
    };
    expect(exit('A')).toBe(126);
    mkdirSync(wal);
    expect(exit('A')).toBe(1);
    writeFileSync(`${wal}/A`, 'segment');
    expect(exit('A')).toBe(0);
    mkdirSync(`${wal}/B`);
    expect(exit('B')).toBe(126);
  });

  it('names the backups that there are when none is old enough', async () => {
    await here.provision('early', 'restored-postgres', 'target');
    const request = { into: 'early', backup: 'latest-before-target', target: { type: 'time', value: '2001-01-01T00:00:00Z' }, timeline: 'current', settings: {} } as const;
    await expect(here.port.repository('backups').prepareRestore(request, new AbortController().signal)).rejects.toMatchObject({ code: 'no-backup', hint: expect.stringContaining(backup.name) as string });
  });

  it('refuses settings that would let the copy archive, and a place that is not empty', async () => {
    await here.provision('strict', 'restored-postgres', 'target');
    const request = { into: 'strict', backup: backup.name, target: { type: 'latest' }, timeline: 'current' } as const;
    const { signal } = new AbortController();
    await expect(here.port.repository('backups').prepareRestore({ ...request, settings: { archive_mode: 'on' } }, signal)).rejects.toMatchObject({ code: 'setting-not-allowed' });
    await here.port.repository('backups').prepareRestore({ ...request, settings: {} }, signal);
    await expect(here.port.repository('backups').prepareRestore({ ...request, settings: {} }, signal)).rejects.toMatchObject({ code: 'place-not-empty' });
  });
});
