/** What one statement alters, without any value of it. */
export interface StatementEffect {
  /** `INSERT`, `ALTER SYSTEM`, `CREATE TABLE`, ... */
  readonly change: string;
  /** `table orders`, `setting work_mem`, ... */
  readonly object: string;
}

/** Comments, strings and dollar quotes: their inside says nothing about what a statement does. Quoted names are kept. */
const opaque = /--[^\n]*|\/\*[\s\S]*?\*\/|\b[eE]'(?:[^'\\]|''|\\[\s\S])*'|'(?:[^']|'')*'|(?<![\w$\u0080-\uffff])\$([A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$[\s\S]*?\$\1\$/g;

/** Statements that alter nothing that outlives their session. */
const harmless = new Set([
  'SELECT', 'VALUES', 'TABLE', 'WITH', 'SHOW', 'SET', 'RESET', 'BEGIN', 'START', 'COMMIT', 'END', 'ROLLBACK', 'ABORT', 'SAVEPOINT', 'RELEASE', 'DECLARE',
  'FETCH', 'MOVE', 'CLOSE', 'LISTEN', 'UNLISTEN', 'NOTIFY', 'DISCARD', 'DEALLOCATE', 'EXPLAIN', 'LOCK', 'CHECKPOINT', 'PREPARE', 'EXECUTE', 'COPY',
]);

/** Functions of PostgreSQL that alter the server or its data when they are selected (manual, "System Administration Functions", "Sequence Functions", "Large Objects"). */
const acting =
  /\b(pg_reload_conf|pg_rotate_logfile|pg_promote|pg_switch_wal|pg_create_restore_point|pg_terminate_backend|pg_cancel_backend|pg_wal_replay_(?:pause|resume)|pg_(?:create|drop|copy)_\w*replication_slot|pg_replication_(?:slot_advance|origin_\w+)|pg_logical_emit_message|pg_backup_(?:start|stop)|pg_(?:start|stop)_backup|pg_stat_reset\w*|pg_file_(?:write|rename|unlink)|setval|lo_(?:create|creat|import|unlink|put|from_bytea)|lowrite|dblink_exec|pg_restore_\w+|pg_clear_\w+)\s*\(/gi;

const word = '(?:"(?:[^"]|"")+"|[\\w\\u0080-\\uffff$]+)';
const name = `(${word}(?:\\s*\\.\\s*${word})?)`;
const at = (pattern: string) => new RegExp(pattern.replaceAll('NAME', name), 'iu');

const dml: readonly (readonly [RegExp, string])[] = [
  [at('\\bINSERT\\s+INTO\\s+NAME'), 'INSERT'],
  [at('\\bUPDATE\\s+(?:ONLY\\s+)?NAME\\s+(?:\\*\\s*)?(?:(?:AS\\s+)?\\w+\\s+)?SET\\b'), 'UPDATE'],
  [at('\\bDELETE\\s+FROM\\s+(?:ONLY\\s+)?NAME'), 'DELETE'],
  [at('\\bMERGE\\s+INTO\\s+(?:ONLY\\s+)?NAME'), 'MERGE'],
];
const setting = at('^ALTER\\s+SYSTEM\\s+(?:SET|RESET)\\s+NAME');
const truncate = at('^TRUNCATE\\s+(?:TABLE\\s+)?(?:ONLY\\s+)?NAME');
const copyFrom = at('^COPY\\s+(?:BINARY\\s+)?NAME\\s*(?:\\([^)]*\\)\\s*)?FROM\\b');
const into = at('^SELECT\\b[\\s\\S]*?\\bINTO\\s+(?:UNLOGGED\\s+)?(?:TABLE\\s+)?NAME\\s+FROM\\b');
const temporary = /^(?:CREATE\s+(?:OR\s+REPLACE\s+)?(?:LOCAL\s+|GLOBAL\s+)?TEMP(?:ORARY)?\b|SELECT\b[\s\S]*?\bINTO\s+(?:LOCAL\s+|GLOBAL\s+)?TEMP)/i;
const kinds = 'MATERIALIZED\\s+VIEW|FOREIGN\\s+TABLE|FOREIGN\\s+DATA\\s+WRAPPER|EVENT\\s+TRIGGER|ACCESS\\s+METHOD|DEFAULT\\s+PRIVILEGES|[A-Z]+';
const ddl = at(`^(CREATE|ALTER|DROP)\\s+(?:OR\\s+REPLACE\\s+)?(?:UNIQUE\\s+|UNLOGGED\\s+|RECURSIVE\\s+|CONSTRAINT\\s+|TRUSTED\\s+|PROCEDURAL\\s+)*(${kinds})\\s+(?:CONCURRENTLY\\s+)?(?:IF\\s+(?:NOT\\s+)?EXISTS\\s+)?(?:ONLY\\s+)?(?:NAME)?`);
const upkeep = at('^(VACUUM|ANALYZE|ANALYSE|CLUSTER|REINDEX|REFRESH\\s+MATERIALIZED\\s+VIEW)\\b\\s*(?:\\([^)]*\\)\\s*)?(?:(?:FULL|FREEZE|VERBOSE|ANALYZE|CONCURRENTLY|TABLE|INDEX|SCHEMA|DATABASE|SYSTEM)\\s+)*(?:NAME)?');
const granted = at('\\bON\\s+(?:(TABLE|SCHEMA|DATABASE|FUNCTION|SEQUENCE|ALL\\s+TABLES\\s+IN\\s+SCHEMA)\\s+)?NAME');
const called = at('^CALL\\s+NAME');

/** What the statements of a text alter; nothing for those that only read. A block whose inside cannot be seen counts as altering. Pure. */
export function effectsOf(sql: string): StatementEffect[] {
  const code = sql.replace(opaque, (piece) => (/^(?:--|\/\*)/.test(piece) ? ' ' : '?'));
  return code
    .split(';')
    .map((statement) => statement.trim())
    .filter((statement) => statement !== '')
    .flatMap(effectOf);
}

function effectOf(statement: string): StatementEffect[] {
  const first = /^[\s(]*([A-Za-z]+)/.exec(statement)?.[1]?.toUpperCase() ?? '';
  const inner = /^(?:EXPLAIN\s*(?:\([^)]*\banaly[sz]e\b[^)]*\)|(?:VERBOSE\s+)?ANALY[SZ]E\b(?:\s+VERBOSE\b)?)|PREPARE\s+\S+\s*(?:\([^)]*\)\s*)?AS\b)\s*([\s\S]*)$/i.exec(statement)?.[1];
  if (inner !== undefined) return effectOf(inner);
  if (temporary.test(statement)) return [];
  const system = named(setting, statement, 'ALTER SYSTEM', 'setting');
  if (system !== undefined) return [system];
  if (/^ALTER\s+SYSTEM\b/i.test(statement)) return [{ change: 'ALTER SYSTEM', object: 'setting *' }];
  if (first === 'TRUNCATE') return [named(truncate, statement, 'TRUNCATE', 'table') ?? { change: 'TRUNCATE', object: 'table ?' }];
  if (first === 'CALL') return [named(called, statement, 'CALL', 'procedure') ?? { change: 'CALL', object: 'procedure ?' }];
  if (first === 'COPY') return [...just(named(copyFrom, statement, 'COPY FROM', 'table')), ...(/\bTO\s+PROGRAM\b/i.test(statement) ? [{ change: 'COPY TO PROGRAM', object: 'server' }] : [])];
  if (['VACUUM', 'ANALYZE', 'ANALYSE', 'CLUSTER', 'REINDEX', 'REFRESH'].includes(first)) {
    const found = upkeep.exec(statement);
    return [{ change: spaced(found?.[1] ?? first), object: found?.[2] === undefined ? 'database' : `table ${tidy(found[2])}` }];
  }
  if (first === 'GRANT' || first === 'REVOKE') {
    const on = granted.exec(statement);
    return [{ change: first, object: on?.[2] === undefined ? 'role' : `${spaced(on[1] ?? 'table').toLowerCase()} ${tidy(on[2])}` }];
  }
  if (['CREATE', 'ALTER', 'DROP'].includes(first)) {
    const [, verb = first, kind = '', target] = ddl.exec(statement) ?? [];
    return [{ change: `${verb.toUpperCase()} ${spaced(kind)}`.trim(), object: `${spaced(kind).toLowerCase()} ${target === undefined ? '?' : tidy(target)}`.trim() }];
  }
  if (first === 'DO') return [{ change: 'DO', object: 'anonymous block' }];
  if (!harmless.has(first) && !['INSERT', 'UPDATE', 'DELETE', 'MERGE'].includes(first)) return [{ change: first === '' ? 'unknown statement' : first, object: 'database' }];
  // A query may hold data-modifying parts (WITH) and call functions that act.
  const written = dml.flatMap(([pattern, change]) => just(named(pattern, statement, change, 'table')));
  const functions = [...statement.matchAll(acting)].map(([, routine = '']) => ({ change: `SELECT ${routine.toLowerCase()}()`, object: 'server' }));
  return [...written, ...functions, ...(first === 'SELECT' ? just(named(into, statement, 'CREATE TABLE AS', 'table')) : [])];
}

function named(pattern: RegExp, statement: string, change: string, kind: string): StatementEffect | undefined {
  const found = pattern.exec(statement)?.[1];
  return found === undefined ? undefined : { change, object: `${kind} ${tidy(found)}` };
}

const just = (effect: StatementEffect | undefined): StatementEffect[] => (effect === undefined ? [] : [effect]);
const spaced = (text: string): string => text.trim().replace(/\s+/g, ' ').toUpperCase();
/** As the catalog has it: unquoted names in lower case, `public.` left out. */
const tidy = (text: string): string =>
  text
    .split(/\s*\.\s*(?=(?:[^"]*"[^"]*")*[^"]*$)/)
    .map((part) => (part.startsWith('"') ? part.slice(1, -1).replaceAll('""', '"') : part.toLowerCase()))
    .join('.')
    .replace(/^public\./, '');
