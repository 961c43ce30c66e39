import type { PreflightCheck } from '../../engine/define-step.js';
import type { SqlRight } from '../../engine/permission.js';
import { grantStatement, maintainSince } from './grants.js';
import type { PostgresSession } from './port.js';

type Result = Pick<PreflightCheck, 'result' | 'detail'>;

export interface RightsOf {
  readonly role: string;
  readonly superuser: boolean;
  /** server_version_num */
  readonly version: number;
}

/** Of one right: what is there, and what of it the session's role lacks. */
interface Held {
  /** Of a table: its owner. */
  readonly owner: string | null;
  readonly lacks: readonly string[];
}

/**
 * Asks the server's catalogs whether the session's role has these rights, in one statement; changes nothing. Resolves to
 * what holds of each of `rights`. `makes`: objects that the run has yet to make.
 */
export async function checkRights(session: PostgresSession, rights: readonly SqlRight[], who: RightsOf, makes: readonly string[]): Promise<ReadonlyMap<SqlRight, Result>> {
  const found = await heldOf(session, rights, who);
  return new Map(rights.map((right, at) => [right, judged(right, found.get(at), who, makes)]));
}

function judged(right: SqlRight, found: Held | undefined, who: RightsOf, makes: readonly string[]): Result {
  const passed = (detail: string): Result => ({ result: 'passed', detail });
  const failed = (detail: string): Result => ({ result: 'failed', detail });
  const missing = (what: string): Result => {
    const grant = grantStatement(right, who.role, who.version) ?? (right.on === 'function' ? grantStatement({ on: 'function', name: right.name }, who.role, who.version) : undefined);
    return failed(`${who.role} lacks ${what}${grant === undefined ? '' : `; it is given by: ${grant}`}`);
  };
  const lacks = found?.lacks.map((privilege) => (privilege === lockWith(who) ? lockInWords(who) : privilege)) ?? [];
  switch (right.on) {
    case 'table':
    case 'owner':
      if (found === undefined) {
        if (makes.includes(`table ${right.name}`)) return { result: 'deferred', detail: `an earlier step makes the table ${right.name}` };
        if (right.on === 'table' && right.made === true) return passed('the run makes the table');
        return failed(`there is no table ${right.name}`);
      }
      if (right.on === 'owner') return lacks.length === 0 ? passed(`${who.role} acts as its owner`) : missing(`the ownership of ${right.name}, which belongs to ${found.owner ?? '?'}`);
      return lacks.length === 0 ? passed(`${who.role} has it`) : missing(`${lacks.join(', ')} on ${right.name}`);
    case 'schema':
      if (found === undefined) return failed(`there is no schema ${right.name}`);
      return lacks.length === 0 ? passed(`${who.role} has it`) : missing(`${lacks.join(', ')} on schema ${right.name}`);
    case 'function':
      if (found === undefined) return { result: 'could-not-run', detail: `this version of PostgreSQL has no function ${bare(right.name)}` };
      return lacks.length === 0 ? passed(`${who.role} may call it`) : missing(`EXECUTE on ${right.name}`);
    case 'role':
      if (found === undefined) return failed(`there is no role ${right.name}`);
      return lacks.length === 0 ? passed(`${who.role} is a member`) : missing(`membership in ${right.name}`);
    case 'superuser':
      return who.superuser ? passed(`${who.role} is a superuser`) : missing('the attribute SUPERUSER');
    case 'statement':
      return { result: 'could-not-run', detail: 'what this statement needs cannot be read off it' };
  }
}

const bare = (name: string): string => name.replace(/\(.*/, '');

/** What lets a role take a SHARE lock: one of these. */
const lockWith = ({ version }: RightsOf): string => (version >= maintainSince ? 'MAINTAIN,UPDATE,DELETE,TRUNCATE' : 'UPDATE,DELETE,TRUNCATE');
const lockInWords = ({ version }: RightsOf): string => (version >= maintainSince ? 'MAINTAIN' : 'UPDATE (for a SHARE lock)');

const namesBefore15: Readonly<Record<string, string>> = { pg_backup_start: 'pg_start_backup', pg_backup_stop: 'pg_stop_backup' };

/** What does not exist gives no row. `IS NOT TRUE`: whatever vanishes meanwhile is lacked. */
const catalogs = `WITH asked AS (SELECT * FROM json_to_recordset($1::json) AS a(at int, kind text, schema text, name text, earlier text, privileges text[]))
SELECT a.at, pg_get_userbyid(t.relowner)::text AS owner,
       CASE WHEN a.kind = 'table' THEN array(SELECT p FROM unnest(a.privileges) AS p WHERE has_table_privilege(t.oid, p) IS NOT TRUE)
            WHEN pg_has_role(t.relowner, 'USAGE') THEN '{}' ELSE '{OWNER}' END AS lacks
  FROM asked AS a CROSS JOIN LATERAL (
    SELECT c.oid, c.relowner FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relname = a.name AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
       AND (n.nspname = a.schema OR (a.schema IS NULL AND n.nspname = ANY(current_schemas(false)::text[] || 'public'::text)))
     ORDER BY array_position(current_schemas(false)::text[], n.nspname::text) LIMIT 1) AS t
 WHERE a.kind IN ('table', 'owner')
UNION ALL
SELECT a.at, NULL, array(SELECT p FROM unnest(a.privileges) AS p WHERE has_schema_privilege(n.oid, p) IS NOT TRUE)
  FROM asked AS a JOIN pg_namespace n ON n.nspname = a.name WHERE a.kind = 'schema'
UNION ALL
SELECT a.at, NULL, CASE WHEN bool_or(has_function_privilege(f.oid, 'EXECUTE')) THEN '{}'::text[] ELSE '{EXECUTE}' END
  FROM asked AS a JOIN pg_proc f ON f.proname IN (a.name, a.earlier) AND f.pronamespace = 'pg_catalog'::regnamespace WHERE a.kind = 'function' GROUP BY a.at
UNION ALL
SELECT a.at, NULL, CASE WHEN pg_has_role(r.oid, 'USAGE') THEN '{}'::text[] ELSE '{MEMBER}' END
  FROM asked AS a JOIN pg_roles r ON r.rolname = a.name WHERE a.kind = 'role'`;

interface Asked {
  readonly at: number;
  readonly kind: SqlRight['on'];
  readonly name: string;
  readonly schema?: string | undefined;
  readonly earlier?: string | undefined;
  readonly privileges?: readonly string[];
}

async function heldOf(session: PostgresSession, rights: readonly SqlRight[], who: RightsOf): Promise<Map<number, Held>> {
  const asked = rights.flatMap((right, at): Asked[] => {
    if (!('name' in right)) return [];
    const { on: kind, name } = right;
    if (kind === 'function') return [{ at, kind, name: bare(name), earlier: namesBefore15[bare(name)] }];
    const privileges = 'privileges' in right ? right.privileges.map((privilege) => (privilege === 'LOCK' ? lockWith(who) : privilege)) : [];
    const [schema, table, more] = kind === 'schema' || kind === 'role' ? [] : name.split('.');
    return [table === undefined || more !== undefined ? { at, kind, name, privileges } : { at, kind, schema, name: table, privileges }];
  });
  if (asked.length === 0) return new Map();
  const { rows } = await session.query<{ at: number; owner: string | null; lacks: string[] }>(catalogs, [JSON.stringify(asked)]);
  return new Map(rows.map(({ at, ...held }) => [at, held]));
}
