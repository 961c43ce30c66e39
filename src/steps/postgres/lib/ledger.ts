import type { PostgresSession } from '../../../clients/postgres/port.js';
import { exists } from './session.js';

export const ledgerTable = 'muster_ledger';

/** CREATE TABLE IF NOT EXISTS asks for CREATE on the schema even when there is nothing to make, so we look first. */
export async function prepareLedger(session: PostgresSession): Promise<void> {
  if (await exists(session, ledgerTable)) return;
  await session.query(`CREATE TABLE IF NOT EXISTS ${ledgerTable} (n bigint NOT NULL, run text NOT NULL, sent_at timestamptz NOT NULL DEFAULT clock_timestamp(), PRIMARY KEY (run, n))`);
}

/** The numbers of a run that are there, as closed ranges in rising order. */
export async function ledgerRanges(session: PostgresSession, run: string): Promise<[number, number][]> {
  if (!(await exists(session, ledgerTable))) return [];
  const { rows } = await session.query<{ first: string; last: string }>(
    `SELECT min(n)::text AS first, max(n)::text AS last
       FROM (SELECT n, n - row_number() OVER (ORDER BY n) AS island FROM ${ledgerTable} WHERE run = $1) AS numbered
      GROUP BY island ORDER BY min(n)`,
    [run],
  );
  return rows.map(({ first, last }) => [Number(first), Number(last)]);
}
