import type { PostgresSession } from '../../../clients/postgres/port.js';
import { eachObject, type Check } from './check.js';
import { one, rolledBack } from './session.js';

interface ForeignKey extends Record<string, unknown> {
  readonly object: string;
  readonly child: string;
  readonly parent: string;
  readonly from: string[];
  readonly to: string[];
  readonly full: boolean;
}

interface Rules extends Record<string, unknown> {
  readonly object: string;
  readonly names: string[];
  /** SQL that is true of a row which breaks the rule of the same position. */
  readonly broken: string[];
}

const own = `n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'`;

const columns = (keys: string, table: string) =>
  `array(SELECT quote_ident(a.attname) FROM unnest(${keys}) WITH ORDINALITY AS k(number, place) JOIN pg_attribute a ON a.attrelid = ${table} AND a.attnum = k.number ORDER BY k.place)`;

/** Temporal foreign keys (PERIOD, since 18) compare ranges: left out. A partition's keys are those of its parent. */
const foreignKeys = `SELECT c.conrelid::regclass || ' ' || quote_ident(c.conname) AS object, c.conrelid::regclass::text AS child, c.confrelid::regclass::text AS parent,
    ${columns('c.conkey', 'c.conrelid')} AS from, ${columns('c.confkey', 'c.confrelid')} AS to, c.confmatchtype = 'f' AS full
  FROM pg_constraint c JOIN pg_namespace n ON n.oid = c.connamespace
 WHERE c.contype = 'f' AND c.convalidated AND c.conparentid = 0 AND to_jsonb(c)->>'conperiod' IS DISTINCT FROM 'true' AND ${own} ORDER BY 1`;

/** num_nulls is opaque to a planner that trusts NOT NULL. */
const rules = `SELECT object::regclass::text AS object, array_agg(name ORDER BY name) AS names, array_agg(broken ORDER BY name) AS broken FROM (
    SELECT c.conrelid AS object, c.conname::text AS name, '(' || pg_get_expr(c.conbin, c.conrelid) || ') IS FALSE' AS broken
      FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid JOIN pg_namespace n ON n.oid = t.relnamespace
     WHERE c.contype = 'c' AND c.convalidated AND t.relkind = 'r' AND ${own}
    UNION ALL
    SELECT t.oid, a.attname || ' NOT NULL', 'num_nulls(' || quote_ident(a.attname) || ') > 0'
      FROM pg_attribute a JOIN pg_class t ON t.oid = a.attrelid JOIN pg_namespace n ON n.oid = t.relnamespace
     WHERE a.attnotnull AND a.attnum > 0 AND NOT a.attisdropped AND t.relkind = 'r' AND t.relpersistence <> 't' AND ${own}
  ) AS rule GROUP BY object ORDER BY 1`;

/** Looks for rows that break a validated foreign key, CHECK or NOT NULL: by queries, because VALIDATE trusts its own flag. */
export async function checkConstraints(session: PostgresSession): Promise<Check[]> {
  return rolledBack(session, async () => {
    const keys = (await session.query<ForeignKey>(foreignKeys)).rows;
    const references = await eachObject(session, 'foreign-key', keys, 'foreign keys hold', async (key) => {
      const { count } = await one<{ count: string }>(session, orphans(key));
      return count === '0' ? [] : [{ check: 'foreign-key', object: key.object, ok: false, detail: `${count} rows of ${key.child} refer to nothing in ${key.parent}` }];
    });
    const tables = (await session.query<Rules>(rules)).rows;
    const conditions = await eachObject(session, 'check', tables, 'tables keep their CHECK and NOT NULL constraints', async ({ object, names, broken }) => {
      const row = await one<Record<string, string>>(session, `SELECT ${broken.map((rule, at) => `count(*) FILTER (WHERE ${rule})::text AS "${at}"`).join(', ')} FROM ONLY ${object}`);
      return names.flatMap((name, at) => (row[at] === '0' ? [] : [{ check: 'check', object: `${object} ${name}`, ok: false, detail: `${row[at] ?? '?'} rows break it` }]));
    });
    return [...references, ...conditions];
  });
}

function orphans({ child, parent, from, to, full }: ForeignKey): string {
  const given = from.map((column) => `c.${column} IS NOT NULL`).join(' AND ');
  const same = from.map((column, at) => `p.${to[at] ?? ''} = c.${column}`).join(' AND ');
  const nulls = `num_nulls(${from.map((column) => `c.${column}`).join(', ')})`;
  const partly = full ? ` OR ${nulls} BETWEEN 1 AND ${from.length - 1}` : '';
  return `SELECT count(*)::text AS count FROM ${child} AS c WHERE (${given} AND NOT EXISTS (SELECT FROM ${parent} AS p WHERE ${same}))${partly}`;
}
