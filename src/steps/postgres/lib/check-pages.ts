import type { PostgresSession } from '../../../clients/postgres/port.js';
import { eachObject, type Check } from './check.js';
import { one, rolledBack } from './session.js';

const failures = `SELECT current_setting('data_checksums') AS checksums, coalesce(sum(checksum_failures), 0)::text AS failures FROM pg_stat_database`;

/** Reads every page of every table, TOAST and catalogs too; a page that does not fit its checksum is an error then. */
export async function checkPages(session: PostgresSession): Promise<Check[]> {
  const before = await one<{ checksums: string; failures: string }>(session, failures);
  const pages = await rolledBack(session, async () => {
    for (const way of ['enable_indexscan', 'enable_indexonlyscan', 'enable_bitmapscan']) await session.query(`SELECT set_config($1, 'off', true)`, [way]);
    const { rows } = await session.query<{ object: string }>(`SELECT c.oid::regclass::text AS object FROM pg_class c WHERE c.relkind IN ('r', 'm', 't') AND c.relpersistence <> 't' ORDER BY 1`);
    return eachObject(session, 'pages', rows, 'tables read to their last page', async ({ object }) => {
      await session.query(`SELECT count(*) FROM ONLY ${object}`);
      return [];
    });
  });
  if (before.checksums !== 'on') return [...pages, { check: 'data-checksums', object: '*', ok: null, detail: 'could not run: this cluster has no data checksums, so a changed byte may go unseen' }];
  const after = await one<{ failures: string }>(session, failures).catch(() => undefined);
  if (after === undefined) return pages;
  const more = Number(after.failures) - Number(before.failures);
  return [...pages, { check: 'data-checksums', object: '*', ok: more === 0, detail: more === 0 ? 'no page read differs from its checksum' : `${more} pages differ from their checksums` }];
}
