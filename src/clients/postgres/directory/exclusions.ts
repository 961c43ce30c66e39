import type { Exceptions } from '../../trees/work.js';

/**
 * What a base backup leaves out (PostgreSQL manual, "Backing Up the Data Directory"). pg_control comes last and by itself,
 * tablespaces are folders of their own.
 */
export const leftOut: Exceptions = {
  skip: new Set(['postmaster.pid', 'postmaster.opts', 'current_logfiles', 'backup_label', 'tablespace_map', 'backup_manifest', 'postgresql.auto.conf.tmp', 'recovery.signal', 'standby.signal', 'pg_tblspc', 'global/pg_control']),
  skipNames: ['pgsql_tmp', 'pg_internal.init'],
  empty: new Set(['pg_wal', 'pg_replslot', 'pg_dynshmem', 'pg_notify', 'pg_serial', 'pg_snapshots', 'pg_stat_tmp', 'pg_subtrans']),
};
