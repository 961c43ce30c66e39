import { Type, type Static, type TSchema } from 'typebox';
import { literals, nullable, strict } from '../schema.js';
import { clusterKinds } from './clusters.js';
import { infrastructureKinds } from './infrastructure.js';
import { objectKinds } from './objects.js';

/**
 * The kinds of evidence: the vocabulary in which steps say what they saw and the verdict judges it. They hold
 * facts only, never a conclusion, never a row's value, never a secret. Each becomes data/evidence/<kind>.json.
 */
const Lsn = Type.String({ pattern: '^[0-9A-F]{1,8}/[0-9A-F]{1,8}$', description: 'PostgreSQL LSN, as pg_lsn prints it' });
const Utc = Type.String({ pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(\\.\\d+)?Z$', description: 'UTC, ISO 8601, up to microseconds' });
const TableDigest = Type.Object({ rows: Type.Integer({ minimum: 0 }), checksum: Type.String({ description: 'Order-independent sum over the rows, decimal or hex' }) }, strict);

export const evidenceKinds = {
  backup: Type.Object(
    {
      repository: Type.String(),
      name: Type.String(),
      provider: Type.String({ description: 'directory | pgbackrest | ...' }),
      origin: literals(['drill', 'schedule'], { description: 'Who made it: a backup that the drill made proves no schedule' }),
      startedAt: Utc,
      finishedAt: Utc,
      startLsn: Lsn,
      stopLsn: Lsn,
      timeline: Type.Integer({ minimum: 1 }),
      systemId: Type.String(),
      serverVersion: Type.String(),
      sizeBytes: Type.Optional(Type.Integer({ minimum: 0 })),
    },
    strict,
  ),
  'restore-target': Type.Object(
    {
      connection: Type.String(),
      backup: Type.String(),
      type: literals(['time', 'lsn', 'name', 'xid', 'immediate', 'latest']),
      requested: nullable(Type.String({ description: 'As the runbook gave it' })),
      sent: nullable(Type.String({ description: 'As PostgreSQL got it' })),
      inclusive: nullable(Type.Boolean()),
      timeline: Type.String({ description: 'recovery_target_timeline as PostgreSQL got it' }),
      settings: Type.Record(Type.String(), Type.String(), { description: 'The recovery settings written, without secrets' }),
    },
    strict,
  ),
  'wal-end': Type.Object(
    {
      connection: Type.String(),
      stop: Type.Object(
        {
          kind: literals(['before', 'after', 'restore-point', 'lsn', 'consistency', 'end-of-wal'], {
            description: 'What ended the replay; end-of-wal means that no target stopped it',
          }),
          xid: Type.Optional(Type.String()),
          time: Type.Optional(Utc),
          lsn: Type.Optional(Lsn),
          name: Type.Optional(Type.String()),
        },
        strict,
      ),
      logLine: nullable(Type.String({ description: "The line of the server's log, or of its timeline history, that says so" })),
      replayEndLsn: nullable(Type.String({ description: 'From "redo done at"' })),
      lastCommitAt: nullable(Utc),
      inRecovery: Type.Boolean(),
      systemId: Type.String(),
      timeline: Type.Integer({ minimum: 1, description: 'The timeline that the copy writes now' }),
      history: Type.Array(Type.Object({ timeline: Type.Integer({ minimum: 1 }), switchLsn: Lsn }, strict), { description: 'The timelines that it came through, oldest first, and where it left each' }),
      archiveMode: Type.String({ description: 'archive_mode of the restored copy, as the server reports it' }),
      serverVersion: Type.Optional(Type.String({ description: 'Of the restored copy' })),
      dataBytes: Type.Optional(Type.Integer({ minimum: 0, description: 'Size of the restored database (pg_database_size)' })),
    },
    strict,
  ),
  archive: Type.Object(
    {
      repository: Type.String(),
      when: literals(['before', 'after']),
      sourceTimeline: nullable(Type.Integer({ minimum: 1 })),
      files: Type.Integer({ minimum: 0 }),
      digest: Type.String({ description: 'SHA-256 over the sorted lines "name size"' }),
      added: Type.Optional(Type.Array(Type.Object({ name: Type.String(), timeline: nullable(Type.Integer()) }, strict))),
      removed: Type.Optional(Type.Array(Type.String())),
      changed: Type.Optional(Type.Array(Type.String())),
    },
    strict,
  ),
  reference: Type.Object(
    {
      connection: Type.String(),
      lsn: Lsn,
      time: Utc,
      timeline: Type.Integer({ minimum: 1 }),
      tables: Type.Record(Type.String(), TableDigest),
    },
    strict,
  ),
  reconciliation: Type.Object(
    {
      connection: Type.String(),
      reference: literals(['snapshot', 'manifest', 'invariants', 'none']),
      tables: Type.Array(Type.Object({ table: Type.String(), expected: nullable(TableDigest), actual: nullable(TableDigest), error: Type.Optional(Type.String()) }, strict)),
      invariants: Type.Array(Type.Object({ name: Type.String(), holds: Type.Boolean(), detail: Type.String() }, strict)),
      consistency: Type.Array(Type.Object({ check: Type.String(), object: Type.String(), ok: nullable(Type.Boolean({ description: 'null: the check could not run, which proves nothing' })), detail: Type.String() }, strict)),
      boundary: Type.Array(
        Type.Object({ name: Type.String(), expected: literals(['present', 'absent']), found: literals(['present', 'absent']) }, strict),
        { description: 'The row before the target is there, the one after it is not' },
      ),
    },
    strict,
  ),
  'health-checks': Type.Object({ checks: Type.Array(Type.Object({ name: Type.String(), ok: Type.Boolean(), detail: Type.String() }, strict), { minItems: 1 }) }, strict),
  isolation: Type.Object(
    {
      when: literals(['before', 'after']),
      from: Type.String({ description: 'Where the attempts were made' }),
      checks: Type.Array(
        Type.Object({ target: Type.String(), expected: literals(['unreachable', 'reachable']), found: literals(['unreachable', 'reachable', 'could-not-run']), detail: Type.String() }, strict),
      ),
    },
    strict,
  ),
  'production-fingerprint': Type.Object(
    {
      connection: Type.String(),
      when: literals(['before', 'after']),
      as: nullable(Type.String({ description: 'The PostgreSQL role that looked' })),
      systemId: nullable(Type.String()),
      timeline: nullable(Type.Integer({ minimum: 1 })),
      powers: Type.Array(Type.String(), { description: "Rights of the steps' role that a read-only transaction does not hold back" }),
      archive: nullable(
        Type.Object(
          {
            files: Type.Integer({ minimum: 0 }),
            digest: Type.String({ description: 'SHA-256 over the sorted lines "name size"' }),
            removed: Type.Optional(Type.Array(Type.String())),
            changed: Type.Optional(Type.Array(Type.String())),
          },
          strict,
        ),
      ),
      serverVersion: Type.Optional(Type.String()),
      dataBytes: Type.Optional(Type.Integer({ minimum: 0, description: 'Size of the database that the connection leads to (pg_database_size)' })),
      error: Type.Optional(Type.String({ description: 'Why it could not be looked at' })),
    },
    strict,
  ),
  ...clusterKinds,
  ...infrastructureKinds,
  'volume-snapshot': Type.Object(
    {
      connection: Type.String(),
      snapshot: Type.String(),
      origin: literals(['drill', 'schedule'], { description: 'Who made it' }),
      startedAt: Type.String({ pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(\\.\\d+)?Z$', description: 'StartTime: the moment whose data it holds; when the copy was complete says nothing of that' }),
      owner: Type.String({ description: 'Account' }),
      state: Type.String(),
      tier: Type.String(),
      volume: nullable(Type.String({ description: 'That it was taken of' })),
      sizeGiB: Type.Integer({ minimum: 0 }),
      encrypted: Type.Boolean(),
      rule: Type.String({ description: 'By which it was picked' }),
      seed: nullable(Type.String({ description: 'Of a random pick' })),
    },
    strict,
  ),
  volume: Type.Object(
    {
      connection: Type.String(),
      volume: Type.String(),
      snapshot: nullable(Type.String({ description: 'That EC2 says it was made from' })),
      zone: Type.String(),
      type: Type.String(),
      sizeGiB: Type.Integer({ minimum: 0 }),
      encrypted: Type.Boolean(),
    },
    strict,
  ),
  'volume-swap': Type.Object(
    {
      connection: Type.String({ description: 'The cluster' }),
      workload: Type.String(),
      claim: Type.String({ description: 'namespace/name' }),
      from: Type.String({ description: 'The volume before' }),
      to: Type.String({ description: 'The volume after' }),
      snapshot: nullable(Type.String({ description: 'That EC2 says the new volume was made from' })),
      zone: Type.String(),
    },
    strict,
  ),
  ...objectKinds,
  'namespace-inventory': Type.Object(
    {
      connection: Type.String(),
      namespace: Type.String(),
      cluster: Type.String({ description: 'uid of its namespace kube-system' }),
      objects: Type.Array(
        Type.Object(
          {
            object: Type.String({ description: 'Kind in lower case and name' }),
            digest: Type.String({ description: "SHA-256 over its content without status, identity and what the cluster assigns; of a Secret's type and key names only" }),
            keys: Type.Optional(Type.Array(Type.String(), { description: 'Of Secrets and config maps; never a value' })),
            replicas: Type.Optional(Type.Object({ wanted: Type.Integer(), ready: Type.Integer() }, strict)),
            volume: Type.Optional(Type.Object({ phase: Type.String(), storage: nullable(Type.String()) }, strict)),
          },
          strict,
        ),
      ),
      counts: Type.Record(Type.String(), Type.Integer({ minimum: 0 }), { description: 'By kind' }),
      digest: Type.String({ description: 'SHA-256 over names and digests' }),
      compared: nullable(
        Type.Object({ expected: Type.Integer({ minimum: 0 }), missing: Type.Array(Type.String()), changed: Type.Array(Type.String()), added: Type.Array(Type.String()) }, strict),
      ),
    },
    strict,
  ),
  residue: Type.Object({ left: Type.Array(Type.Object({ system: Type.String(), object: Type.String() }, strict)) }, strict),
} as const satisfies Record<string, TSchema>;

export type EvidenceKind = keyof typeof evidenceKinds;
export type EvidenceOf<K extends EvidenceKind> = Static<(typeof evidenceKinds)[K]>;
export const evidenceKindNames = Object.keys(evidenceKinds) as EvidenceKind[];
