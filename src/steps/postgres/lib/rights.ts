import type { NeededRight } from '../../../engine/define-step.js';
import type { SqlRight } from '../../../engine/permission.js';
import { inWords, isUnknown } from '../../../engine/plannable.js';

type Right = NeededRight['right'];
type Privileges = Extract<SqlRight, { on: 'table' }>['privileges'];

/** Rights on a connection or endpoint, in words and exactly. Who uses a table must be allowed into its schema too. */
export function rights(connection: unknown, list: readonly SqlRight[], database?: unknown): Right[] {
  const schemas = list.flatMap((right): string[] => (right.on === 'table' || right.on === 'owner' ? [right.name.includes('.') ? (right.name.split('.')[0] ?? '') : 'public'] : []));
  const entered = [...new Set(schemas)].map((schema): SqlRight => ({ on: 'schema', name: schema, privileges: ['USAGE'] }));
  const given = list.flatMap((right) => (right.on === 'schema' && right.privileges.includes('USAGE') ? [right.name] : []));
  return [...entered.filter((right) => right.on !== 'schema' || !given.includes(right.name)), ...list].map((sql) => ({ system: 'postgres', connection: inWords(connection), grant: inGrantWords(sql), sql, ...(typeof database === 'string' ? { database } : {}) }));
}

/** The same privileges on each table; a table whose name waits for the run cannot be told exactly. */
export function onTables(tables: unknown, privileges: Privileges): SqlRight[] {
  const names: readonly unknown[] = Array.isArray(tables) ? tables : [tables];
  return names.map((name) => (typeof name === 'string' ? { on: 'table', name, privileges } : { on: 'statement', sql: `${privileges.join(', ')} ON ${inWords(name)}` }));
}

/** For a table of ours that the run makes where it is absent. */
export function onOwnTable(name: string, privileges: Privileges): SqlRight[] {
  return [
    { on: 'schema', name: 'public', privileges: ['USAGE', 'CREATE'] },
    { on: 'table', name, privileges, made: true },
  ];
}

/** Functions that only superusers may call, unless it was granted. */
export const onFunctions = (...names: readonly string[]): SqlRight[] => names.map((name) => ({ on: 'function', name }));
/** Functions that everyone may call, unless it was revoked. */
export const onCommonFunctions = (...names: readonly string[]): SqlRight[] => names.map((name) => ({ on: 'function', name, byDefault: true }));

function inGrantWords(right: SqlRight): string {
  switch (right.on) {
    case 'table': {
      const lock = right.privileges.includes('LOCK') ? ' (LOCK is MAINTAIN; before PostgreSQL 17 UPDATE)' : '';
      return `${right.privileges.join(', ')} ON ${right.name}${lock}${right.made === true ? ' (made where it does not exist)' : ''}`;
    }
    case 'owner':
      return `OWNERSHIP OF ${right.name}`;
    case 'schema':
      return `${right.privileges.join(', ')} ON SCHEMA ${right.name}`;
    case 'function':
      return `EXECUTE ON FUNCTION ${right.name}`;
    case 'role':
      return `MEMBERSHIP IN ${right.name}`;
    case 'superuser':
      return 'SUPERUSER';
    case 'statement':
      return `whatever this needs: ${right.sql}`;
  }
}

const name = String.raw`((?:"(?:[^"]|"")+"|[A-Za-z_]\w*)(?:\.(?:"(?:[^"]|"")+"|[A-Za-z_]\w*))?|:"\w+")`;
/** What a statement that begins so needs, on the table that follows. */
const beginnings: readonly (readonly [RegExp, (table: string) => SqlRight])[] = [
  [new RegExp(String.raw`^(?:drop|alter)\s+table\s+(?:if\s+exists\s+)?(?:only\s+)?${name}\s*(?:cascade|restrict)?\s*;?\s*$`, 'i'), (table) => ({ on: 'owner', name: table })],
  [new RegExp(String.raw`^alter\s+table\s+(?:if\s+exists\s+)?(?:only\s+)?${name}\s`, 'i'), (table) => ({ on: 'owner', name: table })],
  [new RegExp(String.raw`^truncate\s+(?:table\s+)?(?:only\s+)?${name}\s*;?\s*$`, 'i'), (table) => ({ on: 'table', name: table, privileges: ['TRUNCATE'] })],
  [new RegExp(String.raw`^insert\s+into\s+${name}\s*(?:\([^()]*\)\s*)?(?:values\b(?![^]*\b(?:select|returning|conflict)\b)|default\s+values)`, 'i'), (table) => ({ on: 'table', name: table, privileges: ['INSERT'] })],
  [new RegExp(String.raw`^update\s+(?:only\s+)?${name}\s+set\b(?![^]*\b(?:from|select)\b)`, 'i'), (table) => ({ on: 'table', name: table, privileges: ['SELECT', 'UPDATE'] })],
  [new RegExp(String.raw`^delete\s+from\s+(?:only\s+)?${name}\s*(?:where\b(?![^]*\b(?:from|select|using)\b)|;|$)`, 'i'), (table) => ({ on: 'table', name: table, privileges: ['SELECT', 'DELETE'] })],
];
/** One SELECT over tables that are named, without anything nested. */
const plainSelect = /^select\b(?![^]*\b(?:select|union|intersect|except|with|into|for)\b)[^]*?\bfrom\s+([^]*)$/i;
const joined = new RegExp(String.raw`(?:^|\bjoin\s+|,\s*)(?:only\s+)?${name}(?!\s*\()`, 'gi');

/**
 * What a statement of a runbook's author needs, read off simple statements on one table and plain SELECTs; of all others
 * it says `statement`. `names` are the values of :"name".
 */
export function rightsOfStatement(sql: string, names: Readonly<Record<string, unknown>>): SqlRight[] {
  const text = sql.trim();
  const whole: SqlRight[] = [{ on: 'statement', sql: text }];
  const resolved = (found: string | undefined): string | undefined => {
    if (found === undefined) return undefined;
    const bound = /^:"(\w+)"$/.exec(found)?.[1];
    if (bound === undefined) return unquoted(found);
    const value = names[bound];
    return typeof value === 'string' && !isUnknown(value) ? value : undefined;
  };
  if (/\/\*|--|\$\w*\$/.test(text) || /;\s*\S/.test(text)) return whole;
  for (const [pattern, right] of beginnings) {
    const found = pattern.exec(text);
    const table = resolved(found?.[1]);
    if (found !== null) return table === undefined ? whole : [right(table)];
  }
  const tail = plainSelect.exec(text)?.[1];
  if (tail === undefined) return /^(select|values|show)\b/i.test(text) && !/\b(from|join)\b|\w\s*\(/i.test(text.replaceAll(/\b(count|now|clock_timestamp)\s*\(/gi, '')) ? [] : whole;
  const from = tail.split(/\b(?:where|group\s+by|order\s+by|limit|having|offset)\b/i)[0] ?? '';
  const tables = [...from.trim().matchAll(joined)].map(([, table]) => resolved(table));
  if (tables.length === 0 || tables.includes(undefined)) return whole;
  return [...new Set(tables)].map((table) => ({ on: 'table', name: table ?? '', privileges: ['SELECT'] }));
}

/** As `session.identifier` takes it; unquoted names are folded as PostgreSQL folds them. */
function unquoted(found: string): string | undefined {
  const parts = found.match(/"(?:[^"]|"")+"|\w+/g) ?? [];
  const plain = parts.map((part) => (part.startsWith('"') ? part.slice(1, -1).replaceAll('""', '"') : part.toLowerCase()));
  return plain.some((part) => part.includes('.')) ? undefined : plain.join('.');
}
