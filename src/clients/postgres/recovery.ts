import { StepError } from '../../engine/errors.js';
import type { LocalDetails } from './details.js';
import type { RestoreRequest, ServerSettings } from './port.js';
import { watchedSettings } from './watched.js';
import { targetValue, type Target } from './target.js';

/** Settings of the source that would decide about the recovery or make the copy act on the world. */
export const overriddenSettings: ReadonlySet<string> = new Set([
  'recovery_target', 'recovery_target_name', 'recovery_target_time', 'recovery_target_xid', 'recovery_target_lsn',
  'recovery_target_inclusive', 'recovery_target_action', 'recovery_target_timeline',
  'restore_command', 'recovery_end_command', 'archive_cleanup_command', 'primary_conninfo', 'primary_slot_name',
  'archive_mode', 'archive_command', 'archive_library',
  'data_directory', 'hba_file', 'ident_file', 'external_pid_file',
]);

/** A server in recovery refuses to run with less than its source had: "insufficient parameter settings". */
export const limitsOfSource = ['max_connections', 'max_worker_processes', 'max_wal_senders', 'max_prepared_transactions', 'max_locks_per_transaction'] as const;

const targetSettings = { time: 'recovery_target_time', lsn: 'recovery_target_lsn', name: 'recovery_target_name', xid: 'recovery_target_xid', immediate: 'recovery_target' } as const;

/** Exactly one recovery target (none for `latest`), and the way through it. Throws StepError `not-a-target` and the like. */
export function targetSettingsOf(target: Target, timeline: string): ServerSettings {
  if (!/^(current|latest|[1-9]\d{0,9})$/.test(timeline)) throw new StepError('not-a-target', `a timeline is current, latest or a number, found ${JSON.stringify(timeline)}`);
  const value = targetValue(target);
  const settings: Record<string, string> = { recovery_target_timeline: timeline };
  if (target.type === 'latest') return settings;
  settings[targetSettings[target.type]] = value ?? 'immediate';
  if (target.inclusive !== undefined) settings['recovery_target_inclusive'] = target.inclusive ? 'on' : 'off';
  settings['recovery_target_action'] = 'promote';
  return settings;
}

/**
 * What keeps a copy to itself, whatever its source was told: it never archives, replicates to or from nobody, waits for no
 * standby, starts no scheduled job and listens on the loopback only.
 */
function isolationSettings(port: number): ServerSettings {
  return {
    archive_mode: 'off',
    listen_addresses: '127.0.0.1',
    port: String(port),
    unix_socket_directories: '',
    primary_conninfo: '',
    synchronous_standby_names: '',
    max_logical_replication_workers: '0',
    'cron.launch_active_jobs': 'off',
    ssl: 'off',
    hot_standby: 'on',
    log_min_messages: 'warning',
  };
}

/** The limits of the copy: at least the source's, more where the environment asks for more. */
function limitSettings(source: Readonly<Record<string, number>>, asked: ServerSettings): ServerSettings {
  const limits: Record<string, string> = {};
  for (const name of limitsOfSource) {
    const least = source[name];
    const wanted = asked[name] === undefined ? undefined : Number(asked[name]);
    if (least !== undefined) limits[name] = String(Math.max(least, wanted ?? 0));
    else if (wanted !== undefined) limits[name] = String(wanted);
  }
  return limits;
}

/** Every setting that a copy gets, in the order in which later ones win. Throws StepError `setting-not-allowed`. */
export function copySettings(request: RestoreRequest, local: LocalDetails, port: number, source: Readonly<Record<string, number>>): ServerSettings {
  const asked: ServerSettings = { ...local.settings, ...request.settings };
  for (const name of Object.keys(asked)) {
    if (overriddenSettings.has(name.toLowerCase())) {
      throw new StepError('setting-not-allowed', `the settings of a copy may not set ${name}`, { hint: 'A restored copy never archives, and its recovery is decided by the restore step.' });
    }
  }
  return { ...isolationSettings(port), ...asked, ...limitSettings(source, asked), ...watchedSettings(local.version), archive_mode: 'off' };
}
