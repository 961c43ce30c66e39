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

/** Asks the server's catalogs whether the session's role has a right; changes nothing. `makes`: objects that the run has yet to make. */
export async function checkRight(session: PostgresSession, right: SqlRight, who: RightsOf, makes: readonly string[]): Promise<Result> {
  const passed = (detail: string): Result => ({ result: 'passed', detail });
  const missing = (what: string): Result => {
    const grant = grantStatement(right, who.role, who.version) ?? (right.on === 'function' ? grantStatement({ on: 'function', name: right.name }, who.role, who.version) : undefined);
    return { result: 'failed', detail: `${who.role} lacks ${what}${grant === undefined ? '' : `; it is given by: ${grant}`}` };
  };
  const ask = async (sql: string, params: readonly unknown[]): Promise<unknown> => Object.values((await session.query(sql, params)).rows[0] ?? {})[0];

  switch (right.on) {
    case 'table':
    case 'owner': {
      const table = await findTable(session, right.name);
      if (table === undefined) {
        if (makes.includes(`table ${right.name}`)) return { result: 'deferred', detail: `an earlier step makes the table ${right.name}` };
        if (right.on === 'table' && right.made === true) return passed('the run makes the table');
        return { result: 'failed', detail: `there is no table ${right.name}` };
      }
      if (right.on === 'owner') return (await ask(`SELECT pg_has_role($1::oid, 'USAGE')`, [table.owner])) === true ? passed(`${who.role} acts as its owner`) : missing(`the ownership of ${right.name}, which belongs to ${table.ownerName}`);
      const lacking: string[] = [];
      for (const privilege of right.privileges) {
        const wanted = privilege !== 'LOCK' ? privilege : who.version >= maintainSince ? 'MAINTAIN,UPDATE,DELETE,TRUNCATE' : 'UPDATE,DELETE,TRUNCATE';
        if ((await ask('SELECT has_table_privilege($1::oid, $2)', [table.oid, wanted])) !== true) lacking.push(privilege === 'LOCK' ? (who.version >= maintainSince ? 'MAINTAIN' : 'UPDATE (for a SHARE lock)') : privilege);
      }
      return lacking.length === 0 ? passed(`${who.role} has it`) : missing(`${lacking.join(', ')} on ${right.name}`);
    }
    case 'schema': {
      const there = await ask('SELECT oid::text FROM pg_namespace WHERE nspname = $1', [right.name]);
      if (there === undefined) return { result: 'failed', detail: `there is no schema ${right.name}` };
      const lacking: string[] = [];
      for (const privilege of right.privileges) if ((await ask('SELECT has_schema_privilege($1::oid, $2)', [there, privilege])) !== true) lacking.push(privilege);
      return lacking.length === 0 ? passed(`${who.role} has it`) : missing(`${lacking.join(', ')} on schema ${right.name}`);
    }
    case 'function': {
      const name = right.name.replace(/\(.*/, '');
      const allowed = await ask(`SELECT bool_or(has_function_privilege(oid, 'EXECUTE')) FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace AND proname = ANY($1)`, [[name, namesBefore15[name] ?? name]]);
      if (allowed === null || allowed === undefined) return { result: 'could-not-run', detail: `this version of PostgreSQL has no function ${name}` };
      return allowed === true ? passed(`${who.role} may call it`) : missing(`EXECUTE on ${right.name}`);
    }
    case 'role': {
      const there = await ask('SELECT oid::text FROM pg_roles WHERE rolname = $1', [right.name]);
      if (there === undefined) return { result: 'failed', detail: `there is no role ${right.name}` };
      return (await ask(`SELECT pg_has_role($1::oid, 'USAGE')`, [there])) === true ? passed(`${who.role} is a member`) : missing(`membership in ${right.name}`);
    }
    case 'superuser':
      return who.superuser ? passed(`${who.role} is a superuser`) : missing('the attribute SUPERUSER');
    case 'statement':
      return { result: 'could-not-run', detail: 'what this statement needs cannot be read off it' };
  }
}

const namesBefore15: Readonly<Record<string, string>> = { pg_backup_start: 'pg_start_backup', pg_backup_stop: 'pg_stop_backup' };

interface Found {
  readonly oid: string;
  readonly owner: string;
  readonly ownerName: string;
}

/** By the catalogs: also a table in a schema that the role may not enter. */
async function findTable(session: PostgresSession, name: string): Promise<Found | undefined> {
  const parts = name.split('.');
  const [schema, table] = parts.length === 2 ? [parts[0], parts[1]] : [null, name];
  const { rows } = await session.query<{ oid: string; owner: string; ownerName: string }>(
    `SELECT c.oid::text AS oid, c.relowner::text AS owner, pg_get_userbyid(c.relowner)::text AS "ownerName"
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relname = $2 AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND (n.nspname = $1 OR ($1 IS NULL AND n.nspname = ANY(current_schemas(false)::text[] || 'public'::text)))
      ORDER BY array_position(current_schemas(false)::text[], n.nspname::text) LIMIT 1`,
    [schema, table],
  );
  return rows[0];
}

