import type { PostgresSession } from '../../../clients/postgres/port.js';
import { sha256 } from '../../../engine/canonical.js';
import { one } from './session.js';

/** What a server is like, compared from the baseline to the end. */
export interface ServerFacts {
  readonly at: string;
  readonly startedAt: string;
  readonly systemId: string;
  /** null while it is in recovery. */
  readonly timeline: number | null;
  readonly settings: ReadonlyMap<string, string>;
  /** Tables, views and the like by oid: what they are called, and a digest of their columns. */
  readonly relations: ReadonlyMap<string, { readonly name: string; readonly columns: string }>;
  /** Rows inserted, updated and deleted since the statistics began, by table. */
  readonly written: ReadonlyMap<string, number>;
  /** Rules by which clients are let in; null when they may not be read. */
  readonly access: string | null;
}

interface FactRow extends Record<string, unknown> {
  readonly at: string;
  readonly started: string;
  readonly system: string;
  readonly timeline: string | null;
}

type Row = Record<string, string>;

/** Tables beyond this many are compared by their counters only. */
const mostRelations = 50_000;

export async function readFacts(session: PostgresSession): Promise<ServerFacts> {
  const row = await one<FactRow>(
    session,
    `SELECT clock_timestamp()::text AS at, pg_postmaster_start_time()::text AS started, (SELECT system_identifier::text FROM pg_control_system()) AS system,
            CASE WHEN pg_is_in_recovery() THEN NULL ELSE substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8) END AS timeline`,
  );
  // What a session sets for itself leaves reset_val alone; context internal cannot be set at all.
  const settings = await session.query<Row>(`SELECT name, coalesce(reset_val, '') AS value FROM pg_settings WHERE context <> 'internal' AND name NOT IN ('application_name', 'transaction_isolation', 'transaction_read_only', 'transaction_deferrable')`);
  const relations = await session.query<Row>(
    `SELECT c.oid::text AS oid, c.relkind::text AS kind, n.nspname || '.' || c.relname AS name,
            (SELECT md5(string_agg(a.attnum || ' ' || a.attname || ' ' || a.atttypid || ' ' || a.atttypmod || ' ' || a.attnotnull, ',' ORDER BY a.attnum)) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)' LIMIT ${mostRelations}`,
  );
  const written = await session.query<Row>(`SELECT schemaname || '.' || relname AS name, (n_tup_ins + n_tup_upd + n_tup_del)::text AS rows FROM pg_stat_user_tables`);
  return {
    at: utc(row.at),
    startedAt: utc(row.started),
    systemId: row.system,
    timeline: row.timeline === null ? null : Number.parseInt(row.timeline, 16),
    settings: new Map(settings.rows.map(({ name = '', value = '' }) => [name, value])),
    relations: new Map(relations.rows.map(({ oid = '', kind = '', name = '', columns }) => [oid, { name: `${kind === 'v' ? 'view' : kind === 'm' ? 'materialized view' : 'table'} ${shown(name)}`, columns: columns ?? '' }])),
    written: new Map(written.rows.map(({ name = '', rows = '0' }) => [`table ${shown(name)}`, Number(rows)])),
    access: await accessRules(session),
  };
}

async function accessRules(session: PostgresSession): Promise<string | null> {
  try {
    const { rows } = await session.query<Row>(`SELECT coalesce(string_agg(f::text, E'\\n' ORDER BY line_number), '') AS rules FROM pg_hba_file_rules f`);
    return sha256(rows[0]?.['rules'] ?? '');
  } catch {
    return null;
  }
}

const shown = (name: string): string => name.replace(/^public\./, '');
/** PostgreSQL's text of a timestamptz in UTC. */
const utc = (text: string): string => `${text.replace(' ', 'T').replace(/\+00$/, '')}Z`;

export interface Difference {
  readonly object: string;
  readonly change: string;
  readonly before?: unknown;
  readonly after?: unknown;
  readonly at: string;
  readonly since: string;
}

/** How late a server may count what a session has done, in ms (PostgreSQL's statistics are flushed once a second). */
export const statisticsMs = 2_000;

/** What is different now, and between which times it became so. Pure. */
export function differences(before: ServerFacts, after: ServerFacts): Difference[] {
  const counted = new Date(Date.parse(before.at) - statisticsMs).toISOString();
  return changesBetween(before, after).map((change) => ({ at: after.at, since: change.change === rowsWritten ? counted : before.at, ...change }));
}

const rowsWritten = 'rows written';

function changesBetween(before: ServerFacts, after: ServerFacts): (Omit<Difference, 'at' | 'since'> & Partial<Difference>)[] {
  const found: (Omit<Difference, 'at' | 'since'> & Partial<Difference>)[] = [];
  if (before.systemId !== after.systemId) return [{ object: 'server', change: 'another cluster answers', before: before.systemId, after: after.systemId }];
  if (before.startedAt !== after.startedAt) found.push({ object: 'server', change: 'restarted', before: before.startedAt, after: after.startedAt, at: after.startedAt, since: after.startedAt });
  if (before.timeline !== after.timeline && (before.timeline !== null || after.timeline !== null)) found.push({ object: 'server', change: after.timeline === null ? 'went into recovery' : 'promoted', before: before.timeline, after: after.timeline });
  for (const [name, value] of after.settings) {
    const was = before.settings.get(name);
    if (was !== value && was !== undefined) found.push({ object: `setting ${name}`, change: 'setting changed', before: presentable(name, was), after: presentable(name, value) });
  }
  if (before.access !== null && after.access !== null && before.access !== after.access) found.push({ object: 'file pg_hba.conf', change: 'access rules changed' });
  for (const [oid, { name, columns }] of after.relations) {
    const was = before.relations.get(oid);
    if (was === undefined) found.push({ object: name, change: 'created' });
    else if (was.name !== name) found.push({ object: was.name, change: `renamed to ${name}` });
    else if (was.columns !== columns) found.push({ object: name, change: 'columns changed' });
  }
  for (const [oid, { name }] of before.relations) if (!after.relations.has(oid)) found.push({ object: name, change: 'dropped' });
  for (const [table, rows] of after.written) {
    const was = before.written.get(table);
    if (was !== undefined && rows > was) found.push({ object: table, change: rowsWritten, before: was, after: rows });
  }
  return found;
}

/** Settings may hold passwords and commands with keys. */
export function presentable(name: string, value: string): string {
  return /conninfo|passw|secret|key|token|command|library/i.test(name) ? `sha256:${sha256(value).slice(0, 16)}` : value;
}
