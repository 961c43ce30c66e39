import type { PostgresSession } from '../postgres/port.js';

/** First 8 bytes of the sha256 of "muster", as a signed bigint: the same in every version, and nobody else's by chance. */
const lockId = '8416410491921433337';

export interface AdvisoryHolder {
  /** application_name of the session that holds it: `muster/<run>/lock`, unless it was cut or is another program's. */
  readonly session: string;
  readonly since: string;
}

/**
 * One run at a time in one database: also from another machine, and by whatever name the server is reached. The lock lives as
 * long as `session`, so a run that crashed does not hold it. null: it is ours now.
 */
export async function takeAdvisoryLock(session: PostgresSession): Promise<AdvisoryHolder | null> {
  const { rows } = await session.query<{ taken: boolean }>('SELECT pg_try_advisory_lock($1::bigint) AS taken', [lockId]);
  if (rows[0]?.taken === true) return null;
  const holders = await session.query<{ session: string | null; since: string | null }>(
    `SELECT a.application_name AS session, a.backend_start::text AS since FROM pg_locks l LEFT JOIN pg_stat_activity a USING (pid)
     WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND ((l.classid::bigint << 32) | l.objid::bigint) = $1::bigint
       AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
    [lockId],
  );
  const [holder] = holders.rows;
  return { session: holder?.session ?? 'a session that we may not see', since: holder?.since ?? 'an unknown time' };
}
