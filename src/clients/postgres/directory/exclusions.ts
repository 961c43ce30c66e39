const emptied = new Set(['pg_wal', 'pg_replslot', 'pg_dynshmem', 'pg_notify', 'pg_serial', 'pg_snapshots', 'pg_stat_tmp', 'pg_subtrans']);
const skipped = new Set(['postmaster.pid', 'postmaster.opts', 'current_logfiles', 'backup_label', 'tablespace_map', 'backup_manifest', 'postgresql.auto.conf.tmp', 'recovery.signal', 'standby.signal', 'pg_tblspc', 'global/pg_control']);

/**
 * What a base backup leaves out (PostgreSQL manual, "Backing Up the Data Directory"). pg_control comes last and by itself,
 * tablespaces are folders of their own.
 */
export function backupRule(path: string): 'copy' | 'skip' | 'empty' {
  const name = path.slice(path.lastIndexOf('/') + 1);
  if (emptied.has(path)) return 'empty';
  if (skipped.has(path) || name.startsWith('pgsql_tmp') || name.startsWith('pg_internal.init')) return 'skip';
  return 'copy';
}
