import type { PostgresSession } from '../../../clients/postgres/port.js';
import { one } from './session.js';

/** UTC with microseconds and `Z`, as evidence wants it. `expression` is trusted SQL. */
export const utc = (expression: string) => `to_char(${expression} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;

/**
 * The timeline that a server writes now. pg_control_checkpoint() lags behind a promotion until the next checkpoint,
 * so it is asked only where WAL functions refuse: in recovery.
 */
const timelineSql = `CASE WHEN pg_is_in_recovery() THEN (SELECT timeline_id FROM pg_control_checkpoint())
  ELSE ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::int END`;

export async function timelineOf(session: PostgresSession): Promise<number> {
  return (await one<{ timeline: number }>(session, `SELECT ${timelineSql} AS timeline`)).timeline;
}

export async function identityOf(session: PostgresSession): Promise<{ readonly systemId: string; readonly timeline: number }> {
  return one(session, `SELECT (SELECT system_identifier::text FROM pg_control_system()) AS "systemId", ${timelineSql} AS timeline`);
}
