import type { PostgresSession } from '../../../clients/postgres/port.js';
import { eachObject, failedCheck, type Check } from './check.js';
import { one, rolledBack } from './session.js';

interface Relation extends Record<string, unknown> {
  readonly object: string;
  readonly oid: string;
  readonly uniq: boolean;
}

const indexes = `SELECT c.oid::text AS oid, c.oid::regclass::text AS object, i.indisunique AS uniq
  FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am a ON a.oid = c.relam
 WHERE a.amname = 'btree' AND i.indisvalid AND i.indisready AND c.relpersistence <> 't' AND c.relkind = 'i' ORDER BY 2`;
const heaps = `SELECT c.oid::text AS oid, c.oid::regclass::text AS object, false AS uniq
  FROM pg_class c JOIN pg_am a ON a.oid = c.relam WHERE a.amname = 'heap' AND c.relkind IN ('r', 'm', 't') AND c.relpersistence <> 't' ORDER BY 2`;

/**
 * B-tree indexes against their tables, and the structure of every heap page. Where the extension is not installed it is
 * made in a transaction that is rolled back, so that the restored database stays what it was.
 */
export async function checkAmcheck(session: PostgresSession): Promise<Check[]> {
  return rolledBack(session, async () => {
    const state = await one<{ installed: boolean; available: boolean; version: number }>(
      session,
      `SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'amcheck') AS installed,
              EXISTS (SELECT FROM pg_available_extensions WHERE name = 'amcheck') AS available, current_setting('server_version_num')::int AS version`,
    );
    if (!state.installed && !state.available) return [{ check: 'amcheck', object: '*', ok: null, detail: 'could not run: the extension amcheck is not available on this server' }];
    try {
      if (!state.installed) await session.query('CREATE EXTENSION amcheck');
    } catch (error) {
      return [{ ...failedCheck('amcheck', '*', error), ok: null }];
    }
    const { schema } = await one<{ schema: string }>(session, `SELECT quote_ident(n.nspname) AS schema FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE extname = 'amcheck'`);
    const unique = state.version >= 170_000;
    const trees = await eachObject(session, 'index', (await session.query<Relation>(indexes)).rows, 'B-tree indexes hold exactly what their tables hold', async ({ oid, uniq }) => {
      await session.query(`SELECT ${schema}.bt_index_check($1::oid::regclass, true${unique ? ', $2::boolean' : ''})`, unique ? [oid, uniq] : [oid]);
      return [];
    }, async () => {
      await session.query(`SELECT count(${schema}.bt_index_check(oid::oid::regclass, true${unique ? ', uniq' : ''})) FROM (${indexes}) AS tree`);
      return true;
    });
    if (state.version < 140_000) return trees;
    const pages = await eachObject(session, 'heap', (await session.query<Relation>(heaps)).rows, 'tables have sound pages', async ({ oid, object }) => {
      const found = await one<{ count: number; first: string | null }>(session, `SELECT count(*)::int AS count, min('block ' || blkno || ': ' || msg) AS first FROM ${schema}.verify_heapam($1::oid::regclass)`, [oid]);
      return found.count === 0 ? [] : [{ check: 'heap', object, ok: false, detail: `${found.count} findings, first: ${found.first ?? ''}` }];
    }, async () => (await session.query(`SELECT FROM (${heaps}) AS heap, LATERAL ${schema}.verify_heapam(heap.oid::oid::regclass) LIMIT 1`)).rowCount === 0);
    return [...trees, ...pages];
  });
}
