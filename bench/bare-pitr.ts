/**
 * The demo drill without an engine: the same SQL in as many sessions, the same servers and files, one thing after the other.
 * `node dist/bench/bare-pitr.js <binaries> <folder> <uid> <gid>`; the folder must be one that the uid can enter.
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { appendFile, chown, lchown, mkdir, open, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import pg from 'pg';
import type { PostgresSession } from '../src/clients/postgres/port.js';
import { checkAmcheck } from '../src/steps/postgres/lib/check-amcheck.js';
import { checkConstraints } from '../src/steps/postgres/lib/check-constraints.js';
import { checkPages } from '../src/steps/postgres/lib/check-pages.js';
import { digestOf, fixTextForm, type TableDigest } from '../src/steps/postgres/lib/digest.js';
import { identityOf, utc } from '../src/steps/postgres/lib/facts.js';
import { hasMarker } from '../src/steps/postgres/lib/marker.js';
import { compareTables } from '../src/steps/postgres/lib/reconcile.js';
import { fillOrders, finishOrders, makeTables, ourTables } from '../src/steps/postgres/lib/seed.js';
import { exists, one } from '../src/steps/postgres/lib/session.js';

const [binaries = '', folder = '', uid = '', gid = ''] = process.argv.slice(2);
const as = uid === '' ? {} : { uid: Number(uid), gid: Number(gid) };
const rows = 100_000;
const accounts = 1_000;
const run = 'bare';
const tables = ['orders', 'accounts', 'transfers'];
const pollMs = 10;
const password = randomBytes(24).toString('base64url');

interface Server {
  readonly data: string;
  readonly port: number;
  readonly log: string;
}

const preamble = "SET TimeZone='UTC';SET DateStyle='ISO, YMD';SET IntervalStyle='postgres';SET extra_float_digits=1;SET bytea_output='hex'";

async function session<T>({ port }: Server, work: (session: PostgresSession) => Promise<T>, database = 'app'): Promise<T> {
  const client = new pg.Client({ host: '127.0.0.1', port, user: 'postgres', password, database });
  await client.connect();
  await client.query(preamble);
  try {
    return await work({
      identifier: (name) => pg.escapeIdentifier(name),
      close: () => client.end(),
      async query<R extends Record<string, unknown>>(sql: string, params?: readonly unknown[]) {
        const result = params === undefined ? await client.query<R>(sql) : await client.query<R>(sql, [...params]);
        return { rows: result.rows, rowCount: result.rowCount ?? 0 };
      },
    });
  } finally {
    await client.end();
  }
}

async function own(path: string): Promise<void> {
  if (as.uid !== undefined) await lchown(path, as.uid, as.gid);
}

async function put(path: string, text: string): Promise<void> {
  await writeFile(path, text, { mode: 0o600 });
  await own(path);
}

async function folderFor(path: string): Promise<void> {
  await mkdir(path, { mode: 0o700 });
  await own(path);
}

function shell(file: string, args: readonly string[]): Promise<unknown> {
  return promisify(execFile)(file, [...args], { ...as, cwd: '/', env: { PATH: process.env['PATH'] ?? '', LANG: 'C.UTF-8', TZ: 'UTC' } });
}

async function initialise({ data, port }: Server, archive: string): Promise<void> {
  await folderFor(data);
  await put(join(folder, 'password'), password);
  await shell(join(binaries, 'initdb'), ['-D', data, '-U', 'postgres', `--pwfile=${join(folder, 'password')}`, '--auth=scram-sha-256', '--data-checksums', '--encoding=UTF8', '--locale=C', '--no-sync', '--no-instructions']);
  const command = `if test -e ${archive}/wal/%f; then cmp -s "%p" ${archive}/wal/%f; else cp "%p" ${archive}/incoming/%f && mv ${archive}/incoming/%f ${archive}/wal/%f; fi`;
  await appendFile(
    join(data, 'postgresql.conf'),
    `listen_addresses='127.0.0.1'\nunix_socket_directories=''\nwal_level=replica\ntrack_commit_timestamp=on\ntimezone=UTC\nlog_timezone=UTC\nlog_line_prefix='%m [%p] '\nlc_messages=C\narchive_mode=on\narchive_command='${command}'\nport=${port}\n`,
  );
  await put(join(data, 'pg_hba.conf'), 'host all all 127.0.0.1/32 scram-sha-256\n');
}

/** Resolves once the server takes writes: postmaster.pid says ready, and pg_control says in production (6). */
async function start({ data, port, log }: Server): Promise<ChildProcess> {
  const file = await open(log, 'a');
  const child = spawn(join(binaries, 'postgres'), ['-D', data, '-c', `port=${port}`], { ...as, cwd: data, detached: true, stdio: ['ignore', file.fd, file.fd], env: { PATH: process.env['PATH'] ?? '', LANG: 'C.UTF-8', TZ: 'UTC' } });
  await file.close();
  for (;;) {
    const state = (await readFile(join(data, 'postmaster.pid'), 'utf8').catch(() => '')).split('\n')[7]?.trim();
    if (state === 'ready' && (await readFile(join(data, 'global/pg_control'))).readInt32LE(16) === 6) return child;
    if (child.exitCode !== null) throw new Error(await readFile(log, 'utf8'));
    await pause(pollMs);
  }
}

async function stop(child: ChildProcess): Promise<void> {
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGQUIT');
  await ended;
}

async function marker(server: Server): Promise<string> {
  const id = randomUUID();
  await session(server, async (open) => {
    if (!(await exists(open, 'muster_marker'))) await open.query('CREATE TABLE IF NOT EXISTS muster_marker (id text PRIMARY KEY, run text NOT NULL, step text NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp())');
    await open.query(`INSERT INTO muster_marker (id, run, step) VALUES ($1, $2, $3) RETURNING ${utc('at')} AS at, pg_current_xact_id()::text AS xid`, [id, run, 'marker']);
    await open.query('SELECT pg_current_wal_insert_lsn()::text AS lsn');
  });
  return id;
}

async function dropMarker(server: Server, id: string): Promise<void> {
  await session(server, async (open) => {
    if (!(await exists(open, 'muster_marker'))) return;
    await open.query('BEGIN');
    await open.query('LOCK TABLE muster_marker IN ACCESS EXCLUSIVE MODE');
    await open.query('DELETE FROM muster_marker WHERE id = $1', [id]);
    if ((await open.query('SELECT FROM muster_marker LIMIT 1')).rowCount === 0) await open.query('DROP TABLE muster_marker');
    await open.query('COMMIT');
  });
}

async function seed(server: Server): Promise<void> {
  await session(server, async (open) => {
    for (const table of tables) await exists(open, table);
    await makeTables(open, 'orders', accounts, run);
    await fillOrders(open, 'orders', rows, accounts, () => undefined);
    await finishOrders(open, 'orders');
    for (const table of tables) await open.query(`ANALYZE ${open.identifier(table)}`);
    await open.query('SELECT sum(pg_total_relation_size(name::regclass))::text AS bytes FROM unnest($1::text[]) AS name', [tables]);
  });
}

const left = new Set(['pg_wal', 'pg_replslot', 'pg_dynshmem', 'pg_notify', 'pg_serial', 'pg_snapshots', 'pg_stat_tmp', 'pg_subtrans', 'postmaster.pid', 'postmaster.opts']);

/** pg_backup_stop itself would look for the segment once a second. */
async function backUp(server: Server, to: string, wal: string): Promise<void> {
  const { data } = server;
  await session(server, async (open) => {
    await open.query("SELECT current_setting('server_version'), system_identifier FROM pg_control_system()");
    await open.query('SELECT clock_timestamp()');
    await open.query("SELECT pg_backup_start('bare', true)");
    await folderFor(to);
    await shell('cp', ['-a', ...(await readdir(data)).filter((name) => !left.has(name)).map((name) => join(data, name)), to]);
    for (const name of left) if (name.startsWith('pg_')) await folderFor(join(to, name));
    await shell('cp', ['-a', join(data, 'global/pg_control'), join(to, 'global/pg_control')]);
    const { labelfile, segment } = await one<{ labelfile: string; segment: string }>(open, 'SELECT lsn::text AS lsn, labelfile, spcmapfile, pg_walfile_name(lsn) AS segment FROM pg_backup_stop(false)');
    await put(join(to, 'backup_label'), labelfile);
    while (!existsSync(join(wal, segment))) await pause(pollMs);
    await open.query('SELECT clock_timestamp()');
    await open.query("SELECT name, setting AS value FROM pg_settings WHERE name = 'max_connections'");
  });
}

async function snapshot(server: Server): Promise<{ time: string; tables: Record<string, TableDigest> }> {
  const list = tables.map((table) => `"${table}"`).join(', ');
  return session(server, async (reader) => {
    await fixTextForm(reader);
    const { time } = await session(server, async (locker) => {
      await locker.query("SELECT set_config('statement_timeout', '400', false)");
      await locker.query('BEGIN');
      await locker.query(`LOCK TABLE ${list} IN SHARE MODE`);
      await reader.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
      await reader.query(`LOCK TABLE ${list} IN ACCESS SHARE MODE`);
      const moment = await one<{ time: string }>(reader, "SELECT clock_timestamp()::text AS time, lsn::text AS lsn, pg_snapshot_xmax(pg_current_snapshot())::text AS xid, pg_walfile_name(lsn) FROM pg_current_wal_insert_lsn() AS lsn");
      await locker.query('COMMIT');
      return moment;
    });
    const digests: Record<string, TableDigest> = {};
    for (const table of tables) digests[table] = await digestOf(reader, table);
    await reader.query('COMMIT');
    return { time, tables: digests };
  });
}

async function closeWal(server: Server): Promise<void> {
  await session(server, async (open) => {
    await open.query("SELECT current_setting('archive_mode')");
    await open.query('SELECT failed_count::text AS failed FROM pg_stat_archiver');
    await open.query('BEGIN');
    await open.query("SELECT set_config('synchronous_commit', 'local', true)");
    await open.query("SELECT pg_logical_emit_message(true, 'muster', $1::text)", [run]);
    await open.query('COMMIT');
    const { segment } = await one<{ segment: string }>(open, 'SELECT lsn::text AS lsn, pg_walfile_name(lsn) AS segment FROM pg_switch_wal() AS lsn');
    while (((await one<{ last: string | null }>(open, 'SELECT last_archived_wal AS last FROM pg_stat_archiver')).last ?? '') < segment) await pause(pollMs);
  });
}

async function restore(backup: string, archive: string, copy: Server, time: string): Promise<ChildProcess> {
  await shell('cp', ['-a', backup, copy.data]);
  await folderFor(join(copy.data, 'pg_wal/archive_status'));
  await put(
    join(copy.data, 'postgresql.auto.conf'),
    `archive_mode=off\nrestore_command='if test -e ${archive}/wal/%f; then cp ${archive}/wal/%f "%p"; else exit 1; fi'\nrecovery_target_time='${time}'\nrecovery_target_timeline=1\nrecovery_target_action=promote\nlisten_addresses='127.0.0.1'\nhot_standby=on\n`,
  );
  await put(join(copy.data, 'recovery.signal'), '');
  return start(copy);
}

async function verify(copy: Server, expected: Record<string, TableDigest>, before: string, after: string): Promise<void> {
  const compared = await session(copy, (open) => compareTables(open, expected));
  const [kept, gone] = await session(copy, async (open) => [await hasMarker(open, before), await hasMarker(open, after)]);
  const checks = [...(await session(copy, checkPages)), ...(await session(copy, checkAmcheck)), ...(await session(copy, checkConstraints))];
  const same = compared.every(({ expected: want, actual }) => want?.rows === actual?.rows && want?.checksum === actual?.checksum);
  if (!same || kept !== true || gone !== false || checks.some(({ ok }) => ok !== true)) throw new Error(`the copy is not what it should be: ${JSON.stringify({ compared, kept, gone, checks })}`);
}

/** Says how long a part took, to be held against the drill's own report. */
async function timed<T>(name: string, work: () => Promise<T>): Promise<T> {
  const from = performance.now();
  const result = await work();
  process.stdout.write(`${name} ${((performance.now() - from) / 1_000).toFixed(2)} s\n`);
  return result;
}

const archive = join(folder, 'backups');
const source: Server = { data: join(folder, 'source'), port: 32_100 + (process.pid % 300) * 2, log: join(folder, 'source.log') };
const copy: Server = { data: join(folder, 'copy'), port: source.port + 1, log: join(folder, 'copy.log') };
const running: ChildProcess[] = [];
try {
  await timed('source', async () => {
    await mkdir(folder, { mode: 0o755 });
    if (as.uid !== undefined) await chown(folder, as.uid, as.gid);
    for (const path of [archive, join(archive, 'wal'), join(archive, 'incoming')]) await folderFor(path);
    await initialise(source, archive);
    running.push(await start(source));
    await session(source, (open) => open.query('CREATE DATABASE app'), 'postgres');
  });
  await timed('seed', () => seed(source));
  await timed('backup', () => backUp(source, join(archive, 'base'), join(archive, 'wal')));
  const before = await timed('before', () => marker(source));
  const reference = await timed('reference', () => snapshot(source));
  await timed('bad-deploy', () => session(source, (open) => open.query('DROP TABLE orders')));
  const after = await timed('after', () => marker(source));
  await timed('close-wal', () => closeWal(source));
  running.push(await timed('restore', () => restore(join(archive, 'base'), archive, copy, reference.time)));
  await timed('wal-end', () =>
    session(copy, async (open) => {
      await identityOf(open);
      await open.query("SELECT pg_is_in_recovery(), current_setting('archive_mode')");
      await open.query("SELECT pg_read_file('pg_wal/00000002.history', 0, 1048576, true)");
    }),
  );
  await timed('content', () => verify(copy, reference.tables, before, after));
  await timed('healthy', () => session(copy, (open) => open.query('SELECT count(*)::int AS n FROM orders')));
  await timed('cleanup', async () => {
    await stop(running.pop() ?? (await start(copy)));
    await dropMarker(source, after);
    await dropMarker(source, before);
    await session(source, async (open) => {
      for (const table of await ourTables(open, tables, run)) await open.query(`DROP TABLE ${open.identifier(table)} CASCADE`);
    });
  });
} finally {
  await timed('stop', async () => {
    for (const server of running) await stop(server);
    await rm(folder, { recursive: true, force: true });
  });
}
