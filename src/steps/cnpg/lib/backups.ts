import type { KubernetesObject } from '../../../clients/kubernetes/port.js';
import type { EvidenceOf } from '../../../engine/kinds/index.js';
import { StepError } from '../../../engine/errors.js';
import { runLabel } from '../../../engine/mark.js';
import { record, text, type ClusterFacts } from './cluster.js';
import { inWordsOf, type Store } from './store.js';

/** What a Backup object says. */
export interface BackupFacts {
  readonly object: string;
  readonly uid: string;
  readonly cluster: string;
  readonly method: string;
  readonly phase: string | null;
  readonly error: string | null;
  /** By which the store knows it. */
  readonly id: string | null;
  readonly startedAt: string | null;
  readonly stoppedAt: string | null;
  readonly beginLsn: string | null;
  readonly endLsn: string | null;
  readonly timeline: number | null;
  readonly majorVersion: number | null;
  /** The drill that has made it. */
  readonly run: string | null;
}

export type CompletedBackup = BackupFacts & { readonly id: string; readonly startedAt: string; readonly stoppedAt: string; readonly beginLsn: string; readonly endLsn: string; readonly timeline: number };

/** Of a Backup in one of these phases nothing more comes. */
const endings: readonly string[] = ['completed', 'failed', 'invalid backup definition'];

export function readBackup(object: KubernetesObject): BackupFacts {
  const [spec, status] = [record(object['spec']), record(object['status'])];
  const majorVersion = status['majorVersion'];
  return {
    object: object.metadata.name,
    uid: object.metadata.uid ?? '',
    cluster: text(record(spec['cluster'])['name']) ?? '',
    method: text(status['method']) ?? text(spec['method']) ?? 'barmanObjectStore',
    phase: text(status['phase']),
    error: text(status['error']),
    id: text(status['backupId']),
    startedAt: text(status['startedAt']),
    stoppedAt: text(status['stoppedAt']),
    beginLsn: text(status['beginLSN']),
    endLsn: text(status['endLSN']),
    timeline: timelineOf(text(status['beginWal'])),
    majorVersion: typeof majorVersion === 'number' ? majorVersion : null,
    run: object.metadata.labels?.[runLabel] ?? null,
  };
}

export function isOver({ phase }: BackupFacts): boolean {
  return phase !== null && endings.includes(phase);
}

/** Completed, and with all that is needed to tell afterwards what was restored. */
export function isUsable(backup: BackupFacts): backup is CompletedBackup {
  return backup.phase === 'completed' && [backup.id, backup.startedAt, backup.stoppedAt, backup.beginLsn, backup.endLsn, backup.timeline].every((value) => value !== null);
}

/** `plugin` or `barmanObjectStore`: how a Backup of that store is made. */
export function methodOf(store: Store): string {
  return store.kind === 'plugin' ? 'plugin' : 'barmanObjectStore';
}

/** Of the store's completed backups of this Cluster, the last that ended first. */
export function usableOf(objects: readonly KubernetesObject[], facts: ClusterFacts, store: Store): CompletedBackup[] {
  return objects
    .map(readBackup)
    .filter(isUsable)
    .filter(({ cluster, method }) => cluster === facts.name && method === methodOf(store))
    .toSorted((a, b) => Date.parse(b.stoppedAt) - Date.parse(a.stoppedAt));
}

export function backupEvidence(backup: CompletedBackup, facts: ClusterFacts, store: Store): EvidenceOf<'backup'> {
  if (facts.systemId === null) throw new StepError('no-system-id', `the Cluster ${facts.name} does not say its system identifier`);
  return {
    repository: inWordsOf(store),
    name: backup.id,
    provider: store.kind === 'plugin' ? 'cloudnative-pg plugin barman-cloud' : 'cloudnative-pg barmanObjectStore',
    origin: backup.run === null ? 'schedule' : 'drill',
    startedAt: utc(backup.startedAt),
    finishedAt: utc(backup.stoppedAt),
    startLsn: backup.beginLsn,
    stopLsn: backup.endLsn,
    timeline: backup.timeline,
    systemId: facts.systemId,
    serverVersion: serverVersion(backup, facts),
  };
}

/** The Backup's own word, else the tag of the image that the Cluster runs. */
function serverVersion({ majorVersion }: BackupFacts, { status, spec }: ClusterFacts): string {
  if (majorVersion !== null) return String(majorVersion);
  const tag = /:(\d+(?:\.\d+)?)[^/]*$/.exec(text(status['image']) ?? text(spec['imageName']) ?? '')?.[1];
  return tag ?? 'unknown';
}

/** A WAL file's name begins with its timeline, in hex. */
function timelineOf(wal: string | null): number | null {
  const found = /^([0-9A-F]{8})[0-9A-F]{16}$/i.exec(wal ?? '')?.[1];
  return found === undefined ? null : Number.parseInt(found, 16);
}

const utc = (time: string): string => new Date(time).toISOString().replace('.000Z', 'Z');
