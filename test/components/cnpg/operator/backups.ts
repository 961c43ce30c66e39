import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { giveTo } from '../../../../src/clients/postgres/conf.js';
import { paths, pluginName, type Backup } from '../api/types.js';
import { baseCopy } from '../postgres/base-copy.js';
import { archiveOfPlugin, type Archive, type StoredBackup } from './archive.js';
import type { ClusterActor } from './cluster.js';

/** Executes a Backup object: a base backup of the primary into its archive, whole once the segment of its end is archived. */
export async function takeBackup(actor: ClusterActor, backup: Backup): Promise<void> {
  const { name, namespace } = backup.metadata;
  const { api } = actor.around;
  let startedAt = seconds();
  const write = (status: Readonly<Record<string, unknown>>): Promise<unknown> => api.merge(`${paths.backups(namespace, name)}/status`, { status });
  const method = backup.spec.method ?? 'barmanObjectStore';
  try {
    const { primary } = actor;
    const archive = await archiveFor(actor, backup);
    if (primary?.running !== true) throw new Error('no primary is running');
    startedAt = await ownSecond(archive, actor.signal);
    const id = idOf(startedAt);
    const where = { method, startedAt, serverName: archive.serverName, destinationPath: archive.store.destinationPath, instanceID: { podName: primary.name } };
    await write({ phase: 'running', ...where });
    await actor.slow('backup');
    const done = await copyTo(actor, archive, id, startedAt);
    await write({ phase: 'completed', ...where, backupId: id, backupName: `backup-${id}`, beginLSN: done.beginLsn, endLSN: done.endLsn, beginWal: done.beginWal, endWal: done.endWal, stoppedAt: done.stoppedAt, majorVersion: 18, online: true });
    await actor.status.condition({ type: 'LastBackupSucceeded', status: 'True', reason: 'LastBackupSucceeded', message: 'Backup was successful' });
    await tellWindow(actor, archive);
    actor.happened('backup-completed', `${name} ${id}`);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    actor.happened('backup-failed', `${name} ${message}`);
    if (actor.signal.aborted) return;
    await write({ phase: 'failed', method, startedAt, stoppedAt: seconds(), error: message });
    await actor.status.condition({ type: 'LastBackupSucceeded', status: 'False', reason: 'LastBackupFailed', message });
  }
}

/** barman-cloud names backups and times by the second. */
function seconds(): string {
  return new Date().toISOString().replace(/\.\d+Z$/, 'Z');
}

const idOf = (startedAt: string): string => startedAt.replace(/[-:Z]/g, '');

/** Folders of backups that this process has begun. */
const begun = new Set<string>();

/** The second that a backup is named by: one in which no other of this archive began, waited for where it must be. */
async function ownSecond(archive: Archive, signal: AbortSignal): Promise<string> {
  for (;;) {
    const now = seconds();
    const folder = join(archive.base, idOf(now));
    if (!begun.has(folder) && !existsSync(folder)) {
      begun.add(folder);
      return now;
    }
    await pause(1_000 - (Date.now() % 1_000), undefined, { signal });
  }
}

async function archiveFor(actor: ClusterActor, backup: Backup): Promise<Archive> {
  const { cluster, around, archive } = actor;
  const { method = 'barmanObjectStore', pluginConfiguration } = backup.spec;
  if (method === 'barmanObjectStore') {
    if (archive === undefined || archive.objectStore !== undefined) throw new Error("no barmanObjectStore section defined on the target cluster");
    return archive;
  }
  const plugin = cluster.spec.plugins?.find(({ name }) => name === pluginName);
  if (method !== 'plugin' || plugin === undefined || pluginConfiguration?.name !== pluginName) throw new Error(`requested plugin is not available: ${pluginConfiguration?.name ?? method}`);
  return archiveOfPlugin({ ...plugin, parameters: { ...plugin.parameters, ...pluginConfiguration.parameters } }, actor.name, cluster.metadata.namespace, around.api, around.place);
}

async function copyTo(actor: ClusterActor, archive: Archive, id: string, startedAt: string): Promise<StoredBackup> {
  const { primary, signal } = actor;
  if (primary === undefined) throw new Error('no primary');
  await archive.prepare();
  const making = join(archive.base, `.${id}`);
  await mkdir(making, { mode: 0o755 });
  try {
    const copy = await baseCopy(primary.server, join(making, 'data'), `backup-${id}`, signal);
    await giveTo(making, primary.server.place.owner);
    // Only a segment that is full is archived by itself.
    await primary.server.query('SELECT pg_switch_wal()');
    while (!(await archive.holds(copy.endWal))) await pause(20, undefined, { signal });
    const stored: StoredBackup = { id, startedAt, stoppedAt: seconds(), beginLsn: copy.beginLsn, endLsn: copy.endLsn, beginWal: copy.beginWal, endWal: copy.endWal, timeline: copy.timeline, systemId: actor.systemId };
    await rename(making, join(archive.base, id));
    await archive.record(stored);
    return stored;
  } catch (error) {
    await rm(making, { recursive: true, force: true });
    throw error;
  }
}

/** With the plugin the window stands in the ObjectStore, by server; in the tree, in the Cluster. */
async function tellWindow(actor: ClusterActor, archive: Archive): Promise<void> {
  const backups = await archive.backups();
  const [first, last] = [backups[0], backups.at(-1)];
  if (first === undefined || last === undefined) return;
  if (archive.objectStore === undefined) {
    await actor.status.set({ firstRecoverabilityPoint: first.stoppedAt, lastSuccessfulBackup: last.stoppedAt });
    return;
  }
  const window = { firstRecoverabilityPoint: first.stoppedAt, lastSuccessfulBackupTime: last.stoppedAt };
  await actor.around.api.merge(`${paths.objectStores(actor.cluster.metadata.namespace, archive.objectStore)}/status`, { status: { serverRecoveryWindow: { [archive.serverName]: window } } });
}
