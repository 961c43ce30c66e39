import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { copyTree } from '../../../../src/clients/trees/trees.js';
import { commandPath, writeOwned } from '../../../../src/clients/postgres/conf.js';
import { paths, type Backup, type ClusterSpec, type RecoveryTarget } from '../api/types.js';
import { lsnNumber } from '../postgres/replication.js';
import { hostRules } from '../postgres/settings.js';
import { Archive, archiveOfPlugin, type StoredBackup } from './archive.js';
import type { ClusterActor } from './cluster.js';
import type { Instance } from './instance.js';
import { stuck } from './stuck.js';

type Recovery = NonNullable<NonNullable<ClusterSpec['bootstrap']>['recovery']>;

/** Recovers the first primary from a base backup and the WAL of an archive; PostgreSQL itself finds the target. Without success it stays in "Setting up primary". */
export async function recover(actor: ClusterActor, first: Instance, recovery: Recovery): Promise<void> {
  await actor.slow('recovery');
  try {
    const { archive, backupID } = await sourceOf(actor, recovery);
    const target = { ...recovery.recoveryTarget, ...(backupID === undefined ? {} : { backupID }) };
    const backup = choose(await archive.backups(), target);
    actor.happened('recovering', `${first.name} from ${backup.id}`);
    const { server } = first;
    await server.prepare();
    await copyTree(archive.dataOf(backup.id), server.dataDir, { owner: server.place.owner, signal: actor.signal });
    await writeOwned(join(server.dataDir, 'pg_hba.conf'), hostRules, server.place.owner);
    await first.configure({ ...actor.planOf(first), parameters: { ...actor.cluster.spec.postgresql?.parameters }, archiveCommand: '/bin/false', recovery: settingsOf(archive, target) });
    await server.signalFile('recovery.signal', true);
    await server.start(actor.signal);
    while ((await server.query<{ there: boolean }>('SELECT pg_is_in_recovery() AS there'))[0]?.there !== false) {
      if (!first.running) throw new Error(await server.lastLog());
      await pause(50, undefined, { signal: actor.signal });
    }
    actor.happened('recovered', first.name);
  } catch (error) {
    if (actor.signal.aborted) throw error;
    const message = `${error instanceof Error ? error.message : String(error)} ${await first.server.lastLog()}`.trim();
    await first.server.kill();
    await first.report(actor.cluster, { waiting: { reason: 'CrashLoopBackOff', message: message.slice(0, 1_000) } });
    actor.happened('recovery-failed', message);
    await stuck(actor.signal);
  }
}

async function sourceOf(actor: ClusterActor, recovery: Recovery): Promise<{ archive: Archive; backupID?: string }> {
  const { cluster, around } = actor;
  const { namespace } = cluster.metadata;
  if (recovery.backup !== undefined) {
    const backup = await around.api.get<Backup>(paths.backups(namespace, recovery.backup.name));
    const { destinationPath = '', serverName = backup.spec.cluster.name, backupId } = backup.status ?? {};
    const archive = new Archive({ destinationPath }, serverName, undefined, around.place);
    return backupId === undefined ? { archive } : { archive, backupID: backupId };
  }
  const source = cluster.spec.externalClusters?.find(({ name }) => name === recovery.source);
  if (source?.plugin !== undefined) return { archive: await archiveOfPlugin(source.plugin, source.name, namespace, around.api, around.place) };
  if (source?.barmanObjectStore === undefined) throw new Error(`External cluster ${recovery.source ?? ''} cannot be found in externalClusters`);
  return { archive: new Archive(source.barmanObjectStore, source.barmanObjectStore.serverName ?? source.name, undefined, around.place) };
}

/** The backup that the target names, else the newest that ended before it. */
function choose(backups: readonly StoredBackup[], target: RecoveryTarget): StoredBackup {
  const { backupID, targetTime, targetLSN } = target;
  const fits = (backup: StoredBackup): boolean => {
    if (backupID !== undefined) return backup.id === backupID;
    if (targetTime !== undefined) return Date.parse(backup.stoppedAt) <= Date.parse(postgresTime(targetTime).replace(' ', 'T').replace(/([+-]\d\d)$/, '$1:00'));
    if (targetLSN !== undefined) return lsnNumber(backup.endLsn) <= lsnNumber(targetLSN);
    return true;
  };
  const found = backups.findLast(fits);
  if (found === undefined) throw new Error('no target backup found');
  return found;
}

function settingsOf(archive: Archive, target: RecoveryTarget): Readonly<Record<string, string>> {
  const file = `${commandPath(`${archive.wals}/`)}%f`;
  const settings: Record<string, string> = { restore_command: `test -e ${file} && cp ${file} %p`, recovery_target_action: 'promote', recovery_target_timeline: target.targetTLI ?? 'latest' };
  if (target.targetTime !== undefined) settings['recovery_target_time'] = postgresTime(target.targetTime);
  if (target.targetLSN !== undefined) settings['recovery_target_lsn'] = target.targetLSN;
  if (target.targetName !== undefined) settings['recovery_target_name'] = target.targetName;
  if (target.targetXID !== undefined) settings['recovery_target_xid'] = target.targetXID;
  if (target.targetImmediate === true) settings['recovery_target'] = 'immediate';
  if (target.exclusive === true) settings['recovery_target_inclusive'] = 'false';
  return settings;
}

/** The real operator takes RFC 3339 too and gives PostgreSQL, which rejects a `Z`, what it reads; without an offset it is UTC. */
function postgresTime(time: string): string {
  const spaced = time.replace('T', ' ').replace(/Z$/, '+00');
  return /[+-]\d\d(:?\d\d)?$/.test(spaced.slice(10)) ? spaced : `${spaced}+00`;
}
