import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { giveTo, writeOwned } from '../../../../src/clients/postgres/conf.js';
import type { ApiClient } from '../api/client.js';
import { paths, pluginName, type BarmanStore, type Cluster, type ObjectStore, type Plugin } from '../api/types.js';
import type { Place } from '../postgres/place.js';

export interface StoredBackup {
  readonly id: string;
  readonly startedAt: string;
  readonly stoppedAt: string;
  readonly beginLsn: string;
  readonly endLsn: string;
  readonly beginWal: string;
  readonly endWal: string;
  readonly timeline: number;
  readonly systemId: string;
}

/** What one server has in a store: `<destination>/<server>/{base,wals}` as barman-cloud lays it out, but uncompressed and in a folder. */
export class Archive {
  readonly base: string;
  readonly wals: string;

  constructor(readonly store: BarmanStore, readonly serverName: string, readonly objectStore: string | undefined, readonly place: Place) {
    // s3://bucket/path and the like: the object storage is a folder of the stand-in.
    const folder = join(place.folder, 'object-storage', store.destinationPath.replace(/^[a-z0-9]+:\/\//, '').replaceAll('..', '_'), serverName);
    this.base = join(folder, 'base');
    this.wals = join(folder, 'wals');
  }

  async prepare(): Promise<void> {
    const folders = [this.wals, this.base];
    for (const folder of folders) await mkdir(folder, { recursive: true, mode: 0o755 });
    for (const folder of folders) await giveTo(folder, this.place.owner);
  }

  /** "Expected empty archive" is what barman-cloud-check-wal-archive says of one that is not. */
  async isEmpty(): Promise<boolean> {
    return (await readdir(this.wals).catch(() => [])).length === 0;
  }

  async holds(wal: string): Promise<boolean> {
    return (await readdir(this.wals).catch((): string[] => [])).includes(wal);
  }

  /** Oldest first. */
  async backups(): Promise<StoredBackup[]> {
    const names = (await readdir(this.base).catch((): string[] => [])).toSorted();
    const texts = await Promise.all(names.map((name) => readFile(join(this.base, name, 'backup.json'), 'utf8').catch(() => undefined)));
    return texts.flatMap((text) => (text === undefined ? [] : [JSON.parse(text) as StoredBackup]));
  }

  dataOf(id: string): string {
    return join(this.base, id, 'data');
  }

  async record(backup: StoredBackup): Promise<void> {
    await writeOwned(join(this.base, backup.id, 'backup.json'), JSON.stringify(backup), this.place.owner, 0o644);
  }
}

/** Where a Cluster archives to, by the plugin or in the tree; undefined when it does not. */
export async function archiveOf(cluster: Cluster, api: ApiClient, place: Place): Promise<Archive | undefined> {
  const plugin = cluster.spec.plugins?.find(({ name, enabled, isWALArchiver }) => name === pluginName && enabled !== false && isWALArchiver !== false);
  if (plugin !== undefined) return archiveOfPlugin(plugin, cluster.metadata.name, cluster.metadata.namespace, api, place);
  const store = cluster.spec.backup?.barmanObjectStore;
  return store === undefined ? undefined : new Archive(store, store.serverName ?? cluster.metadata.name, undefined, place);
}

/** Throws when the ObjectStore is not there. */
export async function archiveOfPlugin(plugin: Plugin, serverName: string, namespace: string, api: ApiClient, place: Place): Promise<Archive> {
  const name = plugin.parameters?.['barmanObjectName'] ?? '';
  const { spec } = await api.get<ObjectStore>(paths.objectStores(namespace, name));
  return new Archive(spec.configuration, plugin.parameters?.['serverName'] ?? serverName, name, place);
}
