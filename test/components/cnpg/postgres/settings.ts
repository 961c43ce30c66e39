import { commandPath, confLines } from '../../../../src/clients/postgres/conf.js';

/** What the configuration of one instance is made of. */
export interface ServerPlan {
  readonly name: string;
  readonly port: number;
  /** Of the instance's socket: the operator and its own standbys connect there, as the real instance manager does. */
  readonly socketDir: string;
  /** Of the Cluster's spec.postgresql.parameters. */
  readonly parameters: Readonly<Record<string, string>>;
  /** Names of the standbys that a commit waits for, in PostgreSQL's form; empty for asynchronous replication. */
  readonly synchronous: string;
  /** The shell command that archives `%p` as `%f`. */
  readonly archiveCommand: string;
  /** Where a standby streams from; undefined for a primary, or while WAL receivers are to be down. */
  readonly upstream: { readonly socketDir: string; readonly port: number } | undefined;
  /** Only while a recovery from an archive runs. */
  readonly recovery: Readonly<Record<string, string>>;
}

/**
 * instance.conf. What the operator decides cannot be overridden by parameters of the Cluster. Times are those of the real
 * operator, but for wal_retrieve_retry_interval. fsync is off: servers are killed here, machines are not.
 */
export function instanceConf(plan: ServerPlan): string {
  const { upstream } = plan;
  return confLines({
    timezone: 'UTC',
    shared_buffers: '32MB',
    max_connections: '100',
    log_min_messages: 'warning',
    wal_sender_timeout: '5s',
    wal_receiver_timeout: '5s',
    archive_timeout: '5min',
    password_encryption: 'scram-sha-256',
    ...plan.parameters,
    fsync: 'off',
    listen_addresses: '127.0.0.1',
    port: String(plan.port),
    unix_socket_directories: plan.socketDir,
    unix_socket_permissions: '0700',
    cluster_name: plan.name,
    wal_level: 'logical',
    wal_log_hints: 'on',
    hot_standby: 'on',
    max_wal_senders: '10',
    wal_keep_size: '512MB',
    wal_retrieve_retry_interval: '200ms',
    archive_mode: 'on',
    archive_command: plan.archiveCommand,
    synchronous_standby_names: plan.synchronous,
    primary_conninfo: upstream === undefined ? '' : `host=${upstream.socketDir} port=${upstream.port} user=${replicationUser} application_name=${plan.name}`,
    recovery_target_timeline: 'latest',
    ...plan.recovery,
  });
}

export const replicationUser = 'streaming_replica';

/** Only the operator's own user reaches the sockets; everybody else comes over the loopback with a password. */
export const hostRules = 'local all all trust\nlocal replication all trust\nhost all all 127.0.0.1/32 scram-sha-256\n';

/** Archives into `folder`, a file in whole or not at all, never over another one; not while `stopFile` is there. A server that died before it could note that a file is archived hands it over again. */
export function archiveInto(folder: string, stopFile: string): string {
  const file = `${commandPath(`${folder}/`)}%f`;
  return `test ! -e ${commandPath(stopFile)} && if test -e ${file}; then cmp -s %p ${file}; else cp %p ${file}.part && mv ${file}.part ${file}; fi`;
}

/** A name in synchronous_standby_names. */
export function quotedName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
