import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { StepError } from '../../../engine/errors.js';
import { chooseBackup } from '../choose-backup.js';
import { commandPath, giveTo } from '../conf.js';
import type { BackupsDetails } from '../details.js';
import { refuseUnlessEmpty, tablespacesBeside, writeConfiguration } from '../directory/restore.js';
import type { BackupInfo, BackupRepository, PreparedRestore, RestoreRequest } from '../port.js';
import { copySettings, targetSettingsOf } from '../recovery.js';
import type { LocalPostgres, RepositoryTools } from '../repository-tools.js';
import { targetValue } from '../target.js';
import { listArchive } from './archive.js';
import { runPgbackrest } from './command.js';
import { limitsOfControlFile } from './control-file.js';
import { backupsOf, originAnnotation } from './info.js';

/** A stanza in a repository of pgBackRest 2.45 or later. */
export function pgbackrestRepository(details: BackupsDetails, tools: RepositoryTools): BackupRepository {
  const stanza = details.stanza ?? '';
  const program = details.command ?? 'pgbackrest';
  const both = (signal: AbortSignal): AbortSignal => AbortSignal.any([signal, tools.scope.signal]);
  const list = async (): Promise<BackupInfo[]> => {
    const { stdout } = await runPgbackrest(details, tools, { args: ['info', '--output=json'], effect: 'read', owner: details }, tools.scope.signal);
    return backupsOf(stdout, stanza);
  };
  return {
    provider: 'pgbackrest',
    list,
    archive: () => listArchive(details.path, stanza),
    archiving(server) {
      if (server.local === undefined) throw new StepError('not-local', 'only a server that we make can be told where to archive');
      const { dataDir } = server.local;
      const config = details.configFile === undefined ? '' : ` --config=${commandPath(details.configFile)}`;
      return Promise.resolve({
        settings: { archive_mode: 'on', archive_command: `${commandPath(program)}${config} --stanza=${stanza} --log-level-file=off --pg1-path=${commandPath(dataDir)} archive-push "%p"` },
        begin: async (signal: AbortSignal) => {
          await tools.scope.access({ kind: 'path', path: details.path }, 'create');
          // Offline: it reads pg_control, so that the first segment already finds its stanza.
          await runPgbackrest(details, tools, { args: [`--pg1-path=${dataDir}`, '--no-online', 'stanza-create'], effect: 'create', owner: details }, both(signal));
        },
      });
    },
    async backup(name, signal) {
      const server = tools.postgres(name);
      await tools.scope.access({ kind: 'path', path: details.path }, 'create');
      const before = new Set((await list()).map((backup) => backup.name));
      // It sets libpq's host for sockets only, so PGHOST says where. A drill never removes backups: expire would go by the retention of the configuration.
      const args = [`--pg1-path=${server.local.dataDir}`, `--pg1-port=${server.port}`, `--pg1-user=${server.user}`, `--pg1-database=${server.database}`, '--type=full', '--start-fast', '--no-expire-auto', `--annotation=${originAnnotation}=drill`, 'backup'];
      await runPgbackrest(details, tools, { args, effect: 'create', owner: details, env: { PGHOST: server.host, PGPORT: String(server.port), ...(server.passFile === undefined ? {} : { PGPASSFILE: server.passFile }) } }, both(signal));
      const made = (await list()).find((backup) => !before.has(backup.name));
      if (made === undefined) throw new StepError('backup-failed', 'pgbackrest backup succeeded, but info lists no new backup');
      return { ...made, origin: 'drill' };
    },
    async prepareRestore(request, signal) {
      const copy = tools.postgres(request.into);
      const backup = chooseBackup(await list(), request.backup, request.target);
      await tools.announce(request.into, 'create');
      return restoreInto(details, tools, copy, backup, request, both(signal));
    },
  };
}

async function restoreInto(details: BackupsDetails, tools: RepositoryTools, copy: LocalPostgres, backup: BackupInfo, request: RestoreRequest, signal: AbortSignal): Promise<PreparedRestore> {
  const { local } = copy;
  const recovery = targetSettingsOf(request.target, request.timeline);
  const value = targetValue(request.target);
  await refuseUnlessEmpty(local.dataDir);
  await rm(local.dataDir, { recursive: true, force: true });
  await mkdir(local.dataDir, { mode: 0o700 });
  await giveTo(local.dataDir, local);
  const tablespaces = tablespacesBeside(local.dataDir);
  await mkdir(tablespaces, { mode: 0o700, recursive: true });
  await giveTo(tablespaces, local);
  const args = [
    `--pg1-path=${local.dataDir}`,
    `--set=${backup.name}`,
    `--tablespace-map-all=${tablespaces}`,
    '--archive-mode=off',
    request.target.type === 'latest' ? '--type=default' : `--type=${request.target.type}`,
    ...(value === undefined ? [] : [`--target=${value}`]),
    ...(request.target.type === 'latest' ? [] : ['--target-action=promote']),
    ...(request.target.inclusive === false ? ['--target-exclusive'] : []),
    // Not taken together with immediate; the copy's configuration says it in any case.
    ...(request.target.type === 'immediate' ? [] : [`--target-timeline=${request.timeline}`]),
    'restore',
  ];
  await runPgbackrest(details, tools, { args, effect: 'create', owner: local }, signal);
  return configure(copy, backup, request, { ...recovery });
}

/** pgBackRest has written restore_command and the target; ours replace the target's lines and say the same. */
async function configure(copy: LocalPostgres, backup: BackupInfo, request: RestoreRequest, recovery: Record<string, string>): Promise<PreparedRestore> {
  const { dataDir } = copy.local;
  const restoreCommand = await writtenRestoreCommand(dataDir);
  const settings = { ...copySettings(request, copy.local, copy.port, await limitsOfControlFile(copy.local)), ...recovery, restore_command: restoreCommand };
  await writeConfiguration(copy, settings);
  return { backup, settings: { restore_command: restoreCommand, ...recovery, archive_mode: 'off' } };
}

async function writtenRestoreCommand(dataDir: string): Promise<string> {
  const text = await readFile(join(dataDir, 'postgresql.auto.conf'), 'utf8');
  const found = [...text.matchAll(/^restore_command = '((?:[^']|'')*)'$/gm)].at(-1)?.[1];
  if (found === undefined) throw new StepError('pgbackrest-failed', 'pgbackrest restore wrote no restore_command');
  return found.replaceAll("''", "'");
}
