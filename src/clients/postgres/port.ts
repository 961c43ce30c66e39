import type { EvidenceOf } from '../../engine/kinds/index.js';
import type { Effect } from '../../engine/define-step.js';
import type { ManagedServer, PostgresDetails } from './details.js';

/** Which server to talk to: a connection of the environment, or whatever an endpoint leads to now. */
export type PostgresAddress = { readonly connection: string } | { readonly endpoint: string };

export interface SessionOptions {
  /** Shows in pg_stat_activity as `muster/<run>/<who>/<label>`. */
  readonly label?: string;
  /** What the session may do. `read` sessions run with default_transaction_read_only=on. */
  readonly effect: Effect;
  readonly database?: string;
  /** Another PostgreSQL role than the connection's. */
  readonly as?: string;
  readonly connectTimeoutMs?: number;
  readonly statementTimeoutMs?: number;
}

export interface QueryResult<R> {
  readonly rows: readonly R[];
  /** Rows touched or returned; 0 for commands that have none. */
  readonly rowCount: number;
}

/**
 * SQL errors keep PostgreSQL's SQLSTATE in `cause.code`. Values come back as strings for types wider than int4 and for dates
 * and times (UTC, ISO, microseconds), which keeps their precision. Sessions run with TimeZone=UTC.
 */
export interface PostgresSession {
  query<R extends Record<string, unknown> = Record<string, unknown>>(sql: string, params?: readonly unknown[]): Promise<QueryResult<R>>;
  /** Quotes `name` or `schema.name` as identifiers. */
  identifier(name: string): string;
  close(): Promise<void>;
}

export interface ServerSettings {
  readonly [name: string]: string;
}

/** A server whose data directory and processes are ours to control. */
export interface LocalServer {
  readonly dataDir: string;
  readonly version: string;
  /**
   * Starts postgres on the connection's port; resolves once it accepts connections or, for `wait: 'promoted'`, left recovery.
   * Throws StepError `postgres-start-failed` with the FATAL line of its log, `postgres-start-timeout`; then nothing runs.
   */
  start(options: { readonly settings?: ServerSettings; readonly wait: 'accepting' | 'promoted'; readonly timeoutMs: number }): Promise<{ readonly pid: number; readonly startTime: string }>;
  stop(mode: 'fast' | 'immediate'): Promise<void>;
  running(): Promise<boolean>;
  /** Is the data directory absent or without any entry? Only then may a restore go there, and its cleanup remove it. */
  empty(): Promise<boolean>;
  /** Lines of the server's log since its last start through this port. */
  logLines(): Promise<readonly string[]>;
}

export interface BackupInfo {
  readonly name: string;
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly startLsn: string;
  readonly stopLsn: string;
  readonly timeline: number;
  readonly systemId: string;
  readonly serverVersion: string;
  readonly origin: EvidenceOf<'backup'>['origin'];
  readonly sizeBytes?: number;
}

export interface ArchiveFile {
  readonly name: string;
  readonly size: number;
  /** Milliseconds since the epoch, when the file got its content. */
  readonly modifiedMs: number;
  /** From the file's name; null where it has none. */
  readonly timeline: number | null;
}

export type RestoreTarget = EvidenceOf<'restore-target'>['type'];

export interface RestoreRequest {
  /** The target connection; its data directory must be empty or absent. */
  readonly into: string;
  /** A backup's name, or `latest-before-target`, the rule that picks one. Throws StepError `no-backup`, with what there is. */
  readonly backup: string;
  readonly target: { readonly type: RestoreTarget; readonly value?: string; readonly inclusive?: boolean };
  /** `current`: the backup's timeline; `latest`; or a number. */
  readonly timeline: string;
  /** Extra server settings of the copy. Its limits (max_connections, ...) are raised to the source's without asking. */
  readonly settings: ServerSettings;
}

export interface PreparedRestore {
  readonly backup: BackupInfo;
  /** The recovery settings written, without secrets: what evidence of kind restore-target shows. */
  readonly settings: ServerSettings;
}

/** What a server that archives into a repository needs. */
export interface Archiving {
  /** For its postgresql.conf: archive_mode, archive_command. */
  readonly settings: ServerSettings;
  /** To be called once, when the data directory exists and before the server runs. */
  begin(signal: AbortSignal): Promise<void>;
}

/** Where backups and WAL live. One adapter per provider: directory, pgbackrest. */
export interface BackupRepository {
  readonly provider: string;
  /** For the provisioner of a server that archives here. */
  archiving(server: PostgresDetails): Promise<Archiving>;
  /** Takes a base backup of the local server `server` (origin: drill); resolves once the WAL that it needs is archived. */
  backup(server: string, signal: AbortSignal): Promise<BackupInfo>;
  list(): Promise<readonly BackupInfo[]>;
  archive(): Promise<readonly ArchiveFile[]>;
  /** Everything that `fetches` a copy and makes it ready to start: files, signal file, recovery settings with archive_mode=off. Does not start it. */
  prepareRestore(request: RestoreRequest, signal: AbortSignal): Promise<PreparedRestore>;
}

export interface PostgresPort {
  /**
   * Throws StepError `postgres-unreachable` (retryable), `postgres-refused` or `postgres-no-password`; queries throw
   * `sql-error`. Sessions on a `production` connection cannot write, whatever their statements say.
   */
  connect(address: PostgresAddress, options: SessionOptions): Promise<PostgresSession>;
  /** Throws StepError `not-local` for a server that is not ours to start and stop. */
  local(connection: string): LocalServer;
  /** Whose object describes it; also before it is there. Throws StepError `not-managed` for a server that no operator runs. */
  managed(connection: string): ManagedServer;
  repository(connection: string): BackupRepository;
}
