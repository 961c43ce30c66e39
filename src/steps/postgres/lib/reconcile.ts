import type { PostgresSession } from '../../../clients/postgres/port.js';
import { StepError } from '../../../engine/errors.js';
import type { EvidenceOf } from '../../../engine/kinds/index.js';
import { digestOf, fixTextForm, type TableDigest } from './digest.js';
import { rolledBack } from './session.js';
import { describe, endsSession } from './sql-errors.js';

type Reconciliation = EvidenceOf<'reconciliation'>;

/** Counts and checksums the tables as of one snapshot. A table that can not be read is a finding, not an end. */
export async function compareTables(session: PostgresSession, expected: Readonly<Record<string, TableDigest>>): Promise<Reconciliation['tables']> {
  await fixTextForm(session);
  const compared: Reconciliation['tables'] = [];
  let lost: string | undefined;
  await session.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
  for (const [table, digest] of Object.entries(expected)) {
    if (lost !== undefined) {
      compared.push({ table, expected: digest, actual: null, error: lost });
      continue;
    }
    try {
      await session.query('SAVEPOINT muster_table');
      compared.push({ table, expected: digest, actual: await digestOf(session, table) });
    } catch (error) {
      compared.push({ table, expected: digest, actual: null, error: describe(error) });
      if (endsSession(error)) lost = describe(error);
      else await session.query('ROLLBACK TO SAVEPOINT muster_table');
    }
  }
  if (lost === undefined) await session.query('ROLLBACK');
  return compared;
}

/** An invariant holds when its query gives no row, or one row whose only column is true. Rows never leave the server's answer. */
export async function checkInvariant(session: PostgresSession, name: string, sql: string): Promise<Reconciliation['invariants'][number]> {
  try {
    const { rows } = await rolledBack(session, () => session.query(sql));
    const [row] = rows;
    if (row === undefined) return { name, holds: true, detail: 'no rows' };
    const values = Object.values(row);
    if (rows.length === 1 && values.length === 1 && (typeof values[0] === 'boolean' || values[0] === null)) return { name, holds: values[0] === true, detail: String(values[0]) };
    return { name, holds: false, detail: `${rows.length} rows` };
  } catch (error) {
    return { name, holds: false, detail: describe(error) };
  }
}

/** The tables of a manifest that postgres.manifest wrote. Throws StepError `bad-manifest`. */
export function readManifest(path: string, text: string): Record<string, TableDigest> {
  const bad = (why: string) => new StepError('bad-manifest', `${path}: ${why}`, { hint: 'write it with postgres.manifest' });
  let manifest: unknown;
  try {
    manifest = JSON.parse(text);
  } catch (error) {
    throw bad(`no JSON: ${describe(error)}`);
  }
  if (typeof manifest !== 'object' || manifest === null || !('schema' in manifest) || manifest.schema !== 'muster/manifest/v1') throw bad('no muster/manifest/v1');
  const tables: unknown = 'tables' in manifest ? manifest.tables : undefined;
  if (typeof tables !== 'object' || tables === null || Object.keys(tables).length === 0) throw bad('it names no tables');
  return Object.fromEntries(
    Object.entries(tables).map(([name, digest]: [string, unknown]) => {
      if (!isDigest(digest)) throw bad(`${name} has no rows and checksum`);
      return [name, { rows: digest.rows, checksum: digest.checksum }];
    }),
  );
}

function isDigest(value: unknown): value is TableDigest {
  return typeof value === 'object' && value !== null && 'rows' in value && Number.isInteger(value.rows) && 'checksum' in value && typeof value.checksum === 'string';
}
