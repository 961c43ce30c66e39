import type { PostgresSession } from '../../../clients/postgres/port.js';
import type { EvidenceOf } from '../../../engine/kinds/index.js';
import { one } from './session.js';

export type TableDigest = EvidenceOf<'reference'>['tables'][string];

/** Row text must not depend on who asks: these settings decide how PostgreSQL writes values. */
const textForm = {
  extra_float_digits: '1',
  DateStyle: 'ISO, YMD',
  IntervalStyle: 'postgres',
  TimeZone: 'UTC',
  bytea_output: 'hex',
  lc_monetary: 'C',
  row_security: 'off',
} as const;

export async function fixTextForm(session: PostgresSession): Promise<void> {
  const entries = Object.entries(textForm);
  await session.query(`SELECT ${entries.map((_, at) => `set_config($${at * 2 + 1}, $${at * 2 + 2}, false)`).join(', ')}`, entries.flat());
}

/**
 * Rows and checksum of a table: the sum over its rows of the first 64 bits (signed) of the MD5 of the row's text. A sum
 * does not depend on order and, unlike an exclusive or, counts duplicates. Call `fixTextForm` first.
 */
export async function digestOf(session: PostgresSession, table: string): Promise<TableDigest> {
  const row = await one<{ rows: string; checksum: string }>(
    session,
    `SELECT count(*)::text AS rows, coalesce(sum(('x' || substr(md5((muster_row.*)::text), 1, 16))::bit(64)::bigint), 0)::text AS checksum
       FROM ${session.identifier(table)} AS muster_row`,
  );
  return { rows: Number(row.rows), checksum: row.checksum };
}
