import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { StepError } from '../../../engine/errors.js';
import { commandPath, confLines, giveTo, withoutSettings, writeOwned } from '../conf.js';
import type { BackupsDetails } from '../details.js';
import { codeOf } from '../errors.js';
import type { PreparedRestore, RestoreRequest, ServerSettings } from '../port.js';
import { copySettings, overriddenSettings, targetSettingsOf } from '../recovery.js';
import type { LocalPostgres } from '../repository-tools.js';
import { copyTree } from '../../trees/trees.js';
import type { BackupManifest } from './manifest.js';

/**
 * A segment that is not in the archive is the end of the WAL: exit 1. An archive or file that cannot be read must not look
 * like that, for PostgreSQL would promote with rows missing: exit 126, which is FATAL to it.
 */
export function restoreCommand(wal: string): string {
  const file = `${commandPath(`${wal}/`)}%f`;
  return `if test -e ${file}; then cp ${file} "%p" || exit 126; elif test -r ${commandPath(wal)} -a -x ${commandPath(wal)}; then exit 1; else exit 126; fi`;
}

/** Throws StepError `place-not-empty`: a copy never overwrites anything. */
export async function refuseUnlessEmpty(dataDir: string): Promise<void> {
  try {
    if ((await readdir(dataDir)).length > 0) throw new StepError('place-not-empty', `${dataDir} is not empty: a copy is restored into an empty place only`);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
}

/** Writes our settings behind those that came with the backup, and the files that a configuration elsewhere would hold. */
export async function writeConfiguration(copy: LocalPostgres, settings: ServerSettings): Promise<void> {
  const { dataDir } = copy.local;
  const existing = async (name: string): Promise<string> => readFile(join(dataDir, name), 'utf8').catch((error: unknown) => (codeOf(error) === 'ENOENT' ? '' : Promise.reject(error as Error)));
  await writeOwned(join(dataDir, 'postgresql.conf'), withoutSettings(await existing('postgresql.conf'), overriddenSettings), copy.local);
  const own = `# Written by Muster for a restored copy.\n${confLines(settings)}`;
  await writeOwned(join(dataDir, 'postgresql.auto.conf'), `${withoutSettings(await existing('postgresql.auto.conf'), overriddenSettings).trimEnd()}\n${own}`, copy.local);
  if ((await existing('pg_hba.conf')) === '') await writeOwned(join(dataDir, 'pg_hba.conf'), 'host all all 127.0.0.1/32 scram-sha-256\n', copy.local);
  if ((await existing('pg_ident.conf')) === '') await writeOwned(join(dataDir, 'pg_ident.conf'), '', copy.local);
}

/** Copies a backup into the place of `copy` and makes it ready to recover. The folder is given away last. */
export async function restoreInto(copy: LocalPostgres, from: BackupsDetails, backup: { readonly folder: string; readonly manifest: BackupManifest }, request: RestoreRequest, signal: AbortSignal): Promise<PreparedRestore> {
  const { local } = copy;
  const recovery: ServerSettings = { restore_command: restoreCommand(join(from.path, 'wal')), ...targetSettingsOf(request.target, request.timeline) };
  const settings = { ...copySettings(request, local, copy.port, backup.manifest.limits), ...recovery };
  await refuseUnlessEmpty(local.dataDir);
  await rm(local.dataDir, { recursive: true, force: true });
  await copyTree(join(backup.folder, 'data'), local.dataDir, { owner: local, signal });
  await placeTablespaces(copy, backup, signal);
  await mkdir(join(local.dataDir, 'pg_wal', 'archive_status'), { recursive: true, mode: 0o700 });
  await giveTo(join(local.dataDir, 'pg_wal'), local);
  await giveTo(join(local.dataDir, 'pg_wal', 'archive_status'), local);
  await writeConfiguration(copy, settings);
  await writeOwned(join(local.dataDir, 'recovery.signal'), '', local);
  return { backup: backup.manifest.backup, settings: { ...recovery, archive_mode: 'off' } };
}

/** Never to where the source has them: tablespace_map decides where the server makes its links to. */
async function placeTablespaces(copy: LocalPostgres, backup: { readonly folder: string; readonly manifest: BackupManifest }, signal: AbortSignal): Promise<void> {
  const { oids, folder } = { oids: backup.manifest.tablespaces, folder: tablespacesBeside(copy.local.dataDir) };
  if (oids.length === 0) return;
  await mkdir(folder, { mode: 0o700 });
  for (const oid of oids) await copyTree(join(backup.folder, 'tablespaces', oid), join(folder, oid), { owner: copy.local, signal });
  await giveTo(folder, copy.local);
  const map = oids.map((oid) => `${oid} ${join(folder, oid).replace(/[\n\r\\]/g, '\\$&')}\n`).join('');
  await writeOwned(join(copy.local.dataDir, 'tablespace_map'), map, copy.local);
}

export function tablespacesBeside(dataDir: string): string {
  return join(dirname(dataDir), 'tablespaces');
}
