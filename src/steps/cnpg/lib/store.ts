import type { KubernetesCluster } from '../../../clients/kubernetes/port.js';
import { StepError } from '../../../engine/errors.js';
import { list, nameOf, objectStores, record, text, type ClusterFacts } from './cluster.js';

/** The plugin that supersedes the in-tree store, which is deprecated since CloudNativePG 1.26. */
export const barmanPlugin = 'barman-cloud.cloudnative-pg.io';

/** Where a Cluster archives and keeps its backups. */
export type Store =
  | { readonly kind: 'plugin'; readonly objectStore: string; readonly serverName: string }
  | { readonly kind: 'in-tree'; readonly configuration: Readonly<Record<string, unknown>>; readonly serverName: string };

/** Between which times the store can restore, as the operator or its plugin says; second resolution. */
export interface RecoveryWindow {
  readonly first: string;
  readonly lastBackup: string | null;
}

/** undefined when the Cluster archives nowhere. */
export function storeOf(facts: ClusterFacts): Store | undefined {
  const plugin = list(facts.spec['plugins']).find((each) => each['name'] === barmanPlugin && each['enabled'] !== false);
  const parameters = record(plugin?.['parameters']);
  const objectStore = text(parameters['barmanObjectName']);
  if (objectStore !== null) return { kind: 'plugin', objectStore, serverName: text(parameters['serverName']) ?? facts.name };
  const configuration = record(record(facts.spec['backup'])['barmanObjectStore']);
  if (Object.keys(configuration).length === 0) return undefined;
  return { kind: 'in-tree', configuration, serverName: text(configuration['serverName']) ?? facts.name };
}

/** Throws StepError `no-backup-store`. */
export function requireStore(facts: ClusterFacts): Store {
  const store = storeOf(facts);
  if (store === undefined) throw new StepError('no-backup-store', `${nameOf(facts)} has neither the plugin ${barmanPlugin} nor .spec.backup.barmanObjectStore: it keeps no backups that could be restored`);
  return store;
}

/** In words, without what may be secret: `ObjectStore orders-backups, server orders`. */
export function inWordsOf(store: Store): string {
  return store.kind === 'plugin' ? `ObjectStore ${store.objectStore}, server ${store.serverName}` : `${text(store.configuration['destinationPath']) ?? 'the in-tree store'}, server ${store.serverName}`;
}

/** Throws StepError `no-recovery-window` where nothing says from when on the store can restore. */
export async function windowOf(facts: ClusterFacts, store: Store, cluster: Pick<KubernetesCluster, 'find'>): Promise<RecoveryWindow> {
  const none = (why: string) => new StepError('no-recovery-window', `nothing can be restored from ${inWordsOf(store)}: ${why}`);
  if (store.kind === 'in-tree') {
    const first = text(record(facts.status['firstRecoverabilityPointByMethod'])['barmanObjectStore']) ?? text(facts.status['firstRecoverabilityPoint']);
    if (first === null) throw none(`${nameOf(facts)} has no status.firstRecoverabilityPoint, so it has no completed backup`);
    return { first, lastBackup: text(record(facts.status['lastSuccessfulBackupByMethod'])['barmanObjectStore']) ?? text(facts.status['lastSuccessfulBackup']) };
  }
  const object = await cluster.find({ ...objectStores, name: store.objectStore, namespace: facts.namespace });
  if (object === undefined) throw none(`there is no ObjectStore ${facts.namespace}/${store.objectStore}`);
  const window = record(record(record(object['status'])['serverRecoveryWindow'])[store.serverName]);
  const first = text(window['firstRecoverabilityPoint']);
  if (first === null) throw none(`its status.serverRecoveryWindow has no first point for the server ${store.serverName}, so there is no completed backup`);
  return { first, lastBackup: text(window['lastSuccessfulBackupTime']) };
}

/** Throws StepError `outside-recovery-window` for a time that the store cannot reach, or that has not come yet. */
export function checkWindow(window: RecoveryWindow, time: string, now: string): void {
  const wanted = Date.parse(time);
  const outside = (why: string) => new StepError('outside-recovery-window', `the store cannot restore to ${time}: ${why}`);
  if (wanted < Date.parse(window.first)) throw outside(`its recovery window begins at ${window.first}`);
  if (wanted > Date.parse(now)) throw outside(`that time has not come yet (it is ${now})`);
}

/** The source of a recovery for `.spec.externalClusters[]`. It names the source's server: what is read, never where the copy writes. */
export function externalCluster(store: Store, name: string): Record<string, unknown> {
  if (store.kind === 'plugin') return { name, plugin: { name: barmanPlugin, parameters: { barmanObjectName: store.objectStore, serverName: store.serverName } } };
  return { name, barmanObjectStore: { ...store.configuration, serverName: store.serverName } };
}
