import type { PostgresSession } from '../../../clients/postgres/port.js';
import type { Client } from './client.js';
import { exists } from './session.js';
import { describe, endsSession } from './sql-errors.js';

export const availabilityTable = 'muster_availability';

export interface Checks {
  readonly table: string | undefined;
  readonly read: string | undefined;
  /** Whose row it writes. */
  readonly key: string;
}

export interface Health {
  readonly read: boolean;
  readonly write: boolean;
  readonly error?: string;
}

/**
 * One sample within `ms`: reads, then writes, whatever the reads said, on the connection at hand. After a loss or a missed
 * deadline the next sample makes a new connection, as a client's pool would.
 */
export async function sampleOnce(client: Client, checks: Checks, ms: number): Promise<Health> {
  const health = { read: false, write: false };
  const errors: string[] = [];
  try {
    await client.run(ms, async (session) => {
      health.read = await attempt(() => read(session, checks), errors);
      health.write = await attempt(() => write(session, checks.key), errors);
    });
  } catch (error) {
    errors.push(describe(error));
  }
  // What came in after the deadline does not count.
  const result = { ...health };
  return errors.length === 0 ? result : { ...result, error: [...new Set(errors)].join('; ') };
}

/** True when it worked; an SQL error is noted, a lost connection thrown. */
async function attempt(work: () => Promise<void>, errors: string[]): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    if (endsSession(error)) throw error;
    errors.push(describe(error));
    return false;
  }
}

async function read(session: PostgresSession, { table, read: sql }: Checks): Promise<void> {
  if (table !== undefined) await session.query(`SELECT FROM ${session.identifier(table)} LIMIT 1`);
  if (sql !== undefined) await session.query(sql);
  if (table === undefined && sql === undefined) await session.query('SELECT 1');
}

async function write(session: PostgresSession, key: string): Promise<void> {
  if (!(await exists(session, availabilityTable))) {
    await session.query(`CREATE TABLE IF NOT EXISTS ${availabilityTable} (probe text PRIMARY KEY, n bigint NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp())`);
  }
  await session.query(`INSERT INTO ${availabilityTable} AS a (probe, n) VALUES ($1, 1) ON CONFLICT (probe) DO UPDATE SET n = a.n + 1, at = clock_timestamp()`, [key]);
}
