import type { ServerSettings } from './port.js';

/**
 * What lets a change watcher see every statement of a client that is gone before anybody could ask for it: a server that is
 * ours to configure logs who connects and what is said, without parameters. Our own sessions switch their statements off.
 * watch-log.ts of the steps reads this prefix.
 */
export function watchedSettings(version: string): ServerSettings {
  return {
    log_line_prefix: '%m [%p] %q{%u@%d %a} ',
    log_connections: 'on',
    log_statement: 'all',
    // Since PostgreSQL 13; 0: bind parameters are left out.
    ...(Number.parseInt(version, 10) >= 13 ? { log_parameter_max_length: '0' } : {}),
    log_error_verbosity: 'default',
    log_destination: 'stderr',
    logging_collector: 'off',
    log_timezone: 'UTC',
    lc_messages: 'C',
  };
}

/** Only a superuser may; others go on being logged, under our name. */
export const quietSession = "SELECT CASE WHEN current_setting('is_superuser') = 'on' THEN set_config('log_statement', 'none', false) END";
