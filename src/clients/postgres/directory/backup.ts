import { lstat, readdir, readFile, readlink, rename, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { StepError } from '../../../engine/errors.js';
import { nextLookMs } from '../../../engine/pace.js';
import { giveTo, writeOwned } from '../conf.js';
import type { BackupsDetails } from '../details.js';
import { codeOf } from '../errors.js';
import type { BackupInfo, PostgresSession } from '../port.js';
import { limitsOfSource } from '../recovery.js';
import type { LocalPostgres } from '../repository-tools.js';
import { isoTime } from '../target.js';
import { copyTree, readyThreads, removeTree } from '../../trees/trees.js';
import { leftOut } from './exclusions.js';
import { manifestName, type BackupManifest } from './manifest.js';

/**
 * The low-level base backup of the manual ("Making a Base Backup Using the Low Level API"), in one session. It stands under
 * a hidden name until it is complete.
 */
export async function takeBackup(session: PostgresSession, server: LocalPostgres, into: BackupsDetails, signal: AbortSignal): Promise<BackupInfo> {
  const { dataDir } = server.local;
  const facts = await one<{ version: string; number: number; system: string; label: string; archives: boolean }>(
    session,
    `SELECT current_setting('server_version') AS version, current_setting('server_version_num')::int AS number,
            system_identifier::text AS system, to_char(clock_timestamp(), 'YYYYMMDD"T"HH24MISSUS"Z"') AS label, current_setting('archive_mode') <> 'off' AS archives
       FROM pg_control_system()`,
  );
  if (!facts.archives) throw new StepError('archiving-off', 'archive_mode is off on the server: the WAL that its backup needs would never reach the archive', { hint: 'In a sandbox: `archiveTo` names the connection that its WAL goes to.' });
  const [start, stop] = facts.number >= 150_000 ? ['pg_backup_start($1, true)', 'pg_backup_stop(false)'] : ['pg_start_backup($1, true, false)', 'pg_stop_backup(false, false)'];
  const folder = join(into.path, 'base', facts.label);
  const making = join(into.path, 'base', `.${facts.label}`);
  const startedAt = await now(session);
  // A checkpoint takes longer than a thread to start.
  readyThreads();
  const { lsn: startLsn } = await one<{ lsn: string }>(session, `SELECT ${start}::text AS lsn`, [facts.label]);
  await mkdir(making, { mode: 0o700 });
  try {
    const data = join(making, 'data');
    let sizeBytes = await copyTree(dataDir, data, { owner: into, signal, living: true, except: leftOut });
    const tablespaces = await copyTablespaces(dataDir, making, into, signal);
    sizeBytes += tablespaces.bytes;
    const control = await settledControlFile(join(dataDir, 'global', 'pg_control'));
    await writeOwned(join(data, 'global', 'pg_control'), control, into);
    sizeBytes += control.length;
    const end = await one<{ lsn: string; labelfile: string; spcmapfile: string; segment: string }>(session, `SELECT lsn::text AS lsn, labelfile, spcmapfile, pg_walfile_name(lsn) AS segment FROM ${stop}`);
    await writeOwned(join(data, 'backup_label'), end.labelfile, into);
    if (end.spcmapfile !== '') await writeOwned(join(data, 'tablespace_map'), end.spcmapfile, into);
    const timeline = Number(/^START TIMELINE: (\d+)$/m.exec(end.labelfile)?.[1] ?? Number.NaN);
    if (!Number.isInteger(timeline)) throw new StepError('backup-failed', 'the backup label of the server names no timeline');
    await untilArchived(join(into.path, 'wal', end.segment), signal);
    const backup: BackupInfo = {
      name: facts.label,
      startedAt,
      finishedAt: await now(session),
      startLsn,
      stopLsn: end.lsn,
      timeline,
      systemId: facts.system,
      serverVersion: facts.version,
      origin: 'drill',
      sizeBytes,
    };
    const manifest: BackupManifest = { format: 'muster-directory-backup/1', backup, limits: await limitsOf(session), tablespaces: tablespaces.oids };
    await writeOwned(join(making, manifestName), `${JSON.stringify(manifest, undefined, 2)}\n`, into, 0o644);
    await giveTo(making, into);
    await rename(making, folder);
    return backup;
  } catch (error) {
    await removeTree(making);
    throw error;
  }
}

async function one<R extends Record<string, unknown>>(session: PostgresSession, sql: string, params?: readonly unknown[]): Promise<R> {
  const row = (await session.query<R>(sql, params)).rows[0];
  if (row === undefined) throw new StepError('backup-failed', 'the server answered with no row');
  return row;
}

async function now(session: PostgresSession): Promise<string> {
  return isoTime((await one<{ at: string }>(session, 'SELECT clock_timestamp()::text AS at')).at);
}

async function limitsOf(session: PostgresSession): Promise<Record<string, number>> {
  const { rows } = await session.query<{ name: string; value: string }>('SELECT name, setting AS value FROM pg_settings WHERE name = ANY($1)', [[...limitsOfSource]]);
  return Object.fromEntries(rows.map((row) => [row.name, Number(row.value)]));
}

/**
 * A backup is worth nothing without the segment that holds its end. The server would wait for it too, but looks only once
 * a second; that the file stands in the archive says more than the archiver's own word.
 */
async function untilArchived(segment: string, signal: AbortSignal): Promise<void> {
  const from = performance.now();
  for (;;) {
    signal.throwIfAborted();
    try {
      await lstat(segment);
      return;
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error;
    }
    await pause(nextLookMs(performance.now() - from), undefined, { signal });
  }
}

/** Tablespaces are symlinks pg_tblspc/<oid>; their files go to tablespaces/<oid>. */
async function copyTablespaces(dataDir: string, making: string, into: BackupsDetails, signal: AbortSignal): Promise<{ oids: string[]; bytes: number }> {
  await mkdir(join(making, 'data', 'pg_tblspc'), { mode: 0o700 });
  await giveTo(join(making, 'data', 'pg_tblspc'), into);
  const oids: string[] = [];
  let bytes = 0;
  for (const entry of await readdir(join(dataDir, 'pg_tblspc'), { withFileTypes: true })) {
    const link = join(dataDir, 'pg_tblspc', entry.name);
    if (!entry.isSymbolicLink()) {
      bytes += await copyTree(link, join(making, 'data', 'pg_tblspc', entry.name), { owner: into, signal, living: true, except: leftOut });
      continue;
    }
    if (oids.length === 0) await mkdir(join(making, 'tablespaces'), { mode: 0o700 });
    bytes += await copyTree(await readlink(link), join(making, 'tablespaces', entry.name), { owner: into, signal, living: true, except: leftOut });
    oids.push(entry.name);
  }
  if (oids.length > 0) await giveTo(join(making, 'tablespaces'), into);
  return { oids, bytes };
}

/** The server may be writing it: read until two readings in a row agree. */
async function settledControlFile(path: string): Promise<Buffer> {
  let last = await readFile(path);
  for (;;) {
    const next = await readFile(path);
    if (next.equals(last)) return next;
    last = next;
  }
}
