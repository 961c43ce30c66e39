import type { Manifest } from '../../../clients/kubernetes/port.js';
import { StepError } from '../../../engine/errors.js';
import { runLabel, runMark } from '../../../engine/mark.js';
import type { Target } from '../../postgres/lib/target.js';
import { list, record, text, type ClusterFacts } from './cluster.js';
import { externalCluster, inWordsOf, storeOf, type Store } from './store.js';

/** The name of the recovery's source within the copy. */
const sourceName = 'muster-source';

/**
 * What the copy has in common with its source: image, limits, storage, and by which account it reaches the store. Everything else
 * is left out, above all `plugins` and `backup`: a copy that archives writes its timeline into the source's archive.
 */
const kept = ['imageName', 'imageCatalogRef', 'imagePullPolicy', 'imagePullSecrets', 'storage', 'walStorage', 'tablespaces', 'resources', 'postgresUID', 'postgresGID', 'affinity', 'schedulerName', 'serviceAccountTemplate'] as const;

export interface CopyRequest {
  readonly name: string;
  readonly namespace: string;
  readonly runId: string;
  readonly instances: number;
  readonly superuser: boolean;
  readonly recoveryTarget: Readonly<Record<string, string | boolean>>;
}

/** The Cluster that is to be made. */
export function copyOf(source: ClusterFacts, store: Store, request: CopyRequest): Manifest {
  const { synchronous: _synchronous, syncReplicaElectionConstraint: _constraint, ...postgresql } = record(source.spec['postgresql']);
  return {
    apiVersion: 'postgresql.cnpg.io/v1',
    kind: 'Cluster',
    metadata: { name: request.name, namespace: request.namespace, labels: { [runLabel]: runMark(request.runId) } },
    spec: {
      ...Object.fromEntries(kept.flatMap((field) => (source.spec[field] === undefined ? [] : [[field, source.spec[field]]]))),
      instances: request.instances,
      ...(Object.keys(postgresql).length === 0 ? {} : { postgresql }),
      enableSuperuserAccess: request.superuser,
      bootstrap: { recovery: { source: sourceName, ...applicationOf(source), recoveryTarget: request.recoveryTarget } },
      externalClusters: [externalCluster(store, sourceName)],
    },
  };
}

/** `.spec.bootstrap.recovery.recoveryTarget`: one target at most, always from a known backup and on a known timeline. */
export function recoveryTarget(target: Target, backupId: string, timeline: string): Record<string, string | boolean> {
  return { ...targetField(target), backupID: backupId, targetTLI: timeline, ...(target.inclusive === false ? { exclusive: true } : {}) };
}

/** The one field of the target; none for `latest`. */
export function targetField({ type, value = '' }: Target): Record<string, string | boolean> {
  switch (type) {
    case 'time':
      return { targetTime: value };
    case 'lsn':
      return { targetLSN: value };
    case 'xid':
      // Its webhook and PostgreSQL know 32 bits; a larger one would be cut.
      if (BigInt(value) > 0xffff_ffffn) throw new StepError('bad-target', `a transaction id has 32 bits here: ${value}`);
      return { targetXID: value };
    case 'name':
      return { targetName: value };
    case 'immediate':
      return { targetImmediate: true };
    case 'latest':
      return {};
  }
}

/** Where a Cluster archives, by its own spec; null: nowhere. An archiver of any plugin counts. */
export function archivesTo(facts: ClusterFacts): string | null {
  const store = storeOf(facts);
  if (store !== undefined) return inWordsOf(store);
  const archiver = list(facts.spec['plugins']).find((plugin) => plugin['enabled'] !== false);
  if (archiver !== undefined) return `plugin ${text(archiver['name']) ?? '?'}`;
  return facts.spec['backup'] === undefined || facts.spec['backup'] === null ? null : 'what its .spec.backup says';
}

/** Database and owner that the source was made with; the operator gives the owner of the copy a password of its own. */
function applicationOf(source: ClusterFacts): { readonly database: string; readonly owner: string } {
  const bootstrap = record(source.spec['bootstrap']);
  const made = ['initdb', 'recovery', 'pg_basebackup'].map((method) => record(bootstrap[method])).find((each) => text(each['database']) !== null);
  const database = text(made?.['database']) ?? 'app';
  return { database, owner: text(made?.['owner']) ?? database };
}
