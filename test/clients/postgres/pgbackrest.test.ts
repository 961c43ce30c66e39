import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import type { BackupInfo, PostgresSession, RestoreRequest } from '../../../src/clients/postgres/port.js';
import { requireComponent } from '../../components/index.js';
import { debianBinaries, pgbackrestComponent, postgresWorld, type PostgresWorld } from '../../components/postgres.js';

const suite = await requireComponent(pgbackrestComponent);

suite('point-in-time recovery from a pgBackRest stanza', () => {
  let here: PostgresWorld;
  let source: PostgresSession;
  let backup: BackupInfo;
  let time = '';
  const { signal } = new AbortController();

  const value = async (sql: string): Promise<string> => (await source.query<{ v: string }>(`SELECT (${sql})::text AS v`)).rows[0]?.v ?? '';

  beforeAll(async () => {
    here = await postgresWorld();
    await here.provision('backups', 'pgbackrest', 'source', { stanza: 'drill' });
    await here.provision('source', 'embedded-postgres', 'source', { binaries: debianBinaries, archiveTo: 'backups', settings: { max_connections: '123' } });
    source = await here.port.connect({ connection: 'source' }, { effect: 'modify' });
    await source.query('CREATE TABLE seen (n int PRIMARY KEY)');
    await source.query('INSERT INTO seen VALUES (1)');
    backup = await here.port.repository('backups').backup('source', signal);
    await source.query('INSERT INTO seen VALUES (2)');
    time = (await value('clock_timestamp()')).replace(' ', 'T').replace('+00', 'Z');
    await source.query('INSERT INTO seen VALUES (3)');
    const segment = await value('pg_walfile_name(pg_current_wal_lsn())');
    await source.query('SELECT pg_switch_wal()');
    await vi.waitUntil(async () => (await here.port.repository('backups').archive()).some(({ name }) => name.startsWith(segment)), { timeout: 30_000 });
  });

  afterAll(() => here.close());

  it('lists the backup and the archive', async () => {
    expect(await here.port.repository('backups').list()).toEqual([backup]);
    expect(backup).toMatchObject({ timeline: 1, origin: 'drill', systemId: await value('SELECT system_identifier FROM pg_control_system()'), serverVersion: '15' });
    const archive = await here.port.repository('backups').archive();
    expect(archive.filter(({ name }) => /^[0-9A-F]{24}-[0-9a-f]{40}\.gz$/.test(name)).length).toBeGreaterThan(1);
    expect(new Set(archive.map(({ timeline }) => timeline))).toEqual(new Set([1]));
  });

  it.each<[string, () => RestoreRequest['target'], number[]]>([
    ['a time with Z', () => ({ type: 'time', value: time }), [1, 2]],
    ['the end of the backup', () => ({ type: 'immediate' }), [1]],
    ['the end of the archive', () => ({ type: 'latest' }), [1, 2, 3]],
  ])('restores to %s and never archives', async (title, target, rows) => {
    const name = `copy-${title.length}`;
    await here.provision(name, 'restored-postgres', 'target', { binaries: debianBinaries });
    const before = await here.port.repository('backups').archive();
    const prepared = await here.port.repository('backups').prepareRestore({ into: name, backup: 'latest-before-target', target: target(), timeline: 'current', settings: {} }, signal);
    expect(prepared.backup).toEqual(backup);
    expect(prepared.settings['restore_command']).toContain('archive-get');
    await here.port.local(name).start({ wait: 'promoted', timeoutMs: 60_000 });
    const session = await here.port.connect({ connection: name }, { effect: 'read' });
    const { rows: found } = await session.query<{ n: number }>('SELECT n FROM seen ORDER BY n');
    const { rows: facts } = await session.query("SELECT current_setting('archive_mode') AS archive, current_setting('max_connections') AS connections");
    await session.close();
    expect(found.map(({ n }) => n)).toEqual(rows);
    expect(facts).toEqual([{ archive: 'off', connections: '123' }]);
    await here.port.local(name).stop('fast');
    expect(await here.port.repository('backups').archive()).toEqual(before);
  });

  it('says what pgBackRest says when the repository is gone', async () => {
    await here.provision('other', 'pgbackrest', 'source', { stanza: 'never-made' });
    await expect(here.port.repository('other').list()).rejects.toMatchObject({ code: 'no-stanza', message: expect.stringContaining('never-made') as string });
  });
});
