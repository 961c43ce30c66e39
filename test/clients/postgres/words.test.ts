import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { timelineOf } from '../../../src/clients/postgres/archive-names.js';
import { chooseBackup } from '../../../src/clients/postgres/choose-backup.js';
import { commandPath, confLines, withoutSettings } from '../../../src/clients/postgres/conf.js';
import { applicationName } from '../../../src/clients/postgres/names.js';
import { fromPassFile, renewedPassword, usualPassword } from '../../../src/clients/postgres/password.js';
import { backupsOf } from '../../../src/clients/postgres/pgbackrest/info.js';
import type { BackupInfo } from '../../../src/clients/postgres/port.js';
import { targetSettingsOf } from '../../../src/clients/postgres/recovery.js';
import { startFailure } from '../../../src/clients/postgres/serverlog.js';
import { isoTime, parseLsn, parseTime, postgresTime } from '../../../src/clients/postgres/target.js';

describe('a time target', () => {
  it.each([
    ['2026-03-01T12:00:00Z', '2026-03-01 12:00:00.000000+00'],
    ['2026-03-01T12:00:00.123456Z', '2026-03-01 12:00:00.123456+00'],
    ['2026-03-01T12:00:00.1234567Z', '2026-03-01 12:00:00.123456+00'],
    ['2026-03-01 01:30:00.5+05:30', '2026-02-28 20:00:00.500000+00'],
    ['2026-03-01T12:00-0330', '2026-03-01 15:30:00.000000+00'],
    ['2026-03-01 12:00:00+01', '2026-03-01 11:00:00.000000+00'],
    ['1969-12-31T23:59:59.999999Z', '1969-12-31 23:59:59.999999+00'],
  ])('%s reaches PostgreSQL as %s', (given, sent) => {
    expect(postgresTime(parseTime(given))).toBe(sent);
    expect(targetSettingsOf({ type: 'time', value: given }, 'current')).toEqual({ recovery_target_timeline: 'current', recovery_target_time: sent, recovery_target_action: 'promote' });
  });

  it.each(['2026-03-01T12:00:00', '2026-02-30T12:00:00Z', '2026-13-01T12:00:00Z', '2026-03-01T25:00:00Z', 'yesterday', ''])('%j is refused', (given) => {
    expect(() => parseTime(given)).toThrow(expect.objectContaining({ code: 'not-a-time' }) as Error);
  });

  it('comes back in ISO form', () => expect(isoTime('2026-03-01 12:00:00.12+00')).toBe('2026-03-01T12:00:00.120000Z'));
});

describe('the other targets', () => {
  it.each([
    [{ type: 'lsn', value: '0/3000060', inclusive: false }, { recovery_target_lsn: '0/3000060', recovery_target_inclusive: 'off', recovery_target_action: 'promote' }],
    [{ type: 'xid', value: '742' }, { recovery_target_xid: '742', recovery_target_action: 'promote' }],
    [{ type: 'name', value: 'before deploy' }, { recovery_target_name: 'before deploy', recovery_target_action: 'promote' }],
    [{ type: 'immediate' }, { recovery_target: 'immediate', recovery_target_action: 'promote' }],
    [{ type: 'latest' }, {}],
  ] as const)('%j', (target, settings) => {
    expect(targetSettingsOf(target, '3')).toEqual({ recovery_target_timeline: '3', ...settings });
  });

  it.each([
    [{ type: 'lsn', value: '3000060' }, 'not-an-lsn'],
    [{ type: 'xid', value: '0x1' }, 'not-a-target'],
    [{ type: 'time' }, 'not-a-target'],
    [{ type: 'name', value: 'x', inclusive: true }, 'not-a-target'],
    [{ type: 'latest', value: '2026-03-01T12:00:00Z' }, 'not-a-target'],
    [{ type: 'immediate', inclusive: true }, 'not-a-target'],
  ] as const)('%j is refused', (target, code) => {
    expect(() => targetSettingsOf(target, 'current')).toThrow(expect.objectContaining({ code }) as Error);
  });

  it('orders LSNs as numbers', () => expect(parseLsn('1/0') > parseLsn('0/FFFFFFFF')).toBe(true));
});

describe('the choice of a backup', () => {
  const backup = (name: string, finishedAt: string, stopLsn: string): BackupInfo => ({ name, startedAt: finishedAt, finishedAt, startLsn: stopLsn, stopLsn, timeline: 1, systemId: '1', serverVersion: '18.4', origin: 'schedule' });
  const all = [backup('old', '2026-03-01T00:00:00.5Z', '0/2000000'), backup('new', '2026-03-02T00:00:00Z', '0/4000000')];
  it.each([
    [{ type: 'time', value: '2026-03-02T00:00:00Z' }, 'old'],
    [{ type: 'time', value: '2026-03-02T01:00:00.000001+01' }, 'new'],
    [{ type: 'lsn', value: '0/3FFFFFF' }, 'old'],
    [{ type: 'lsn', value: '0/4000000' }, 'new'],
    [{ type: 'latest' }, 'new'],
  ] as const)('for %j is %s', (target, name) => expect(chooseBackup(all, 'latest-before-target', target).name).toBe(name));

  it('tells what there is', () => {
    const target = { type: 'time', value: '2026-03-01T00:00:00.5Z' } as const;
    expect(() => chooseBackup(all, 'latest-before-target', target)).toThrow(expect.objectContaining({ code: 'no-backup', hint: expect.stringContaining('old (finished 2026-03-01T00:00:00.5Z') as string }) as Error);
    expect(() => chooseBackup([], 'x', target)).toThrow(expect.objectContaining({ hint: 'The repository holds no finished backup.' }) as Error);
  });
});

it.each([
  ['0000000A0000000000000003', 10],
  ['000000010000000000000003-0123456789abcdef0123456789abcdef01234567.gz', 1],
  ['000000010000000000000003.00000028.backup', 1],
  ['000000010000000000000003.partial', 1],
  ['00000002.history', 2],
  ['archive.info', null],
])('the archived file %s is of timeline %s', (name, timeline) => expect(timelineOf(name)).toBe(timeline));

describe('passwords', () => {
  const login = { host: 'db.example', port: 5432, database: 'app', user: 'me' };
  it('come from the first line of the pgpass file that matches', () => {
    const text = '# comment\nother:*:*:me:wrong\ndb.example:5432:app:you:wrong\ndb.example:*:*:me:a\\:b\\\\c\n*:*:*:*:later\n';
    expect(fromPassFile(text, login)).toBe('a:b\\c');
    expect(fromPassFile('other:*:*:me:wrong\n', login)).toBe(undefined);
  });
  it('come from PGPASSWORD first, and their absence is told without a guess', async () => {
    expect(await usualPassword(login, { PGPASSWORD: 'given' })).toBe('given');
    await expect(usualPassword(login, { PGPASSFILE: '/nonexistent/pgpass' })).rejects.toMatchObject({ code: 'postgres-no-password', message: expect.stringContaining('password of me') as string });
  });
  it('come from the pgpass file first once PGPASSWORD was refused, for nobody can renew that', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'muster-pgpass-'));
    const PGPASSFILE = join(folder, 'pgpass');
    writeFileSync(PGPASSFILE, '*:*:*:me:renewed\n', { mode: 0o600 });
    expect(await renewedPassword(login, { PGPASSWORD: 'given', PGPASSFILE })).toBe('renewed');
    // The role itself may have been prolonged instead.
    expect(await renewedPassword(login, { PGPASSWORD: 'given', PGPASSFILE: join(folder, 'none') })).toBe('given');
    rmSync(folder, { recursive: true });
  });
});

describe('configuration', () => {
  it('holds any value on one line', () => {
    expect(confLines({ restore_command: "cp 'a\\b' %p", 'cron.x': 'off' })).toBe("restore_command = 'cp ''a\\\\b'' %p'\ncron.x = 'off'\n");
    expect(() => confLines({ a: 'x\ny' })).toThrow(RangeError);
    expect(() => confLines({ 'a b': 'x' })).toThrow(RangeError);
  });
  it('loses only the named settings', () => expect(withoutSettings("port = 1\n recovery_target_time='x'\nRestore_Command 'y'\nrecovery_target_timeline = 'latest'\n", new Set(['recovery_target_time', 'restore_command']))).toBe("port = 1\nrecovery_target_timeline = 'latest'\n"));
  it('quotes paths for the shell and for PostgreSQL', () => expect(commandPath("/it's 100%")).toBe("'/it'\\''s 100%%'"));
  it('cuts application names to what PostgreSQL keeps', () => expect(applicationName('r'.repeat(80), 'who', 'label')).toHaveLength(63));
});

it('finds the line that ended a start, not those of clients that knocked', () => {
  const lines = ['2026-03-01 12:00:00 UTC [1] FATAL:  the database system is starting up', '2026-03-01 12:00:00 UTC [2] FATAL:  recovery ended before configured recovery target was reached', '2026-03-01 12:00:00 UTC [3] FATAL:  the database system is shutting down', '2026-03-01 12:00:00 UTC [1] LOG:  database system is shut down'];
  expect(startFailure(lines)).toEqual({ line: 'FATAL: recovery ended before configured recovery target was reached', hint: expect.stringContaining('archived WAL ends') as string });
  expect(startFailure(['no prefix here'])).toEqual({ line: 'no prefix here', hint: undefined });
});

describe('pgbackrest info', () => {
  const entry = (backup: object): string => JSON.stringify([{ name: 'main', status: { code: 0, message: 'ok' }, db: [{ id: 1, 'system-id': 'ID', version: '15' }], backup: [backup] }]).replace('"ID"', '7500000000000000001');
  const backup = { label: '20260301-000000F', timestamp: { start: 1_772_323_200, stop: 1_772_323_201 }, lsn: { start: '0/2000028', stop: '0/2000100' }, archive: { start: '0000000A0000000000000002' }, database: { id: 1 }, info: { size: 42 }, error: false };
  it('keeps system ids whole', () => {
    expect(backupsOf(entry(backup), 'main')).toEqual([
      { name: '20260301-000000F', startedAt: '2026-03-01T00:00:00.000Z', finishedAt: '2026-03-01T00:00:01.000Z', startLsn: '0/2000028', stopLsn: '0/2000100', timeline: 10, systemId: '7500000000000000001', serverVersion: '15', origin: 'schedule', sizeBytes: 42 },
    ]);
  });
  it('tells a drill\'s own backup from a scheduled one', () => expect(backupsOf(entry({ ...backup, annotation: { 'muster-origin': 'drill' } }), 'main')[0]?.origin).toBe('drill'));
  it('leaves out a backup with errors', () => expect(backupsOf(entry({ ...backup, error: true }), 'main')).toEqual([]));
});
