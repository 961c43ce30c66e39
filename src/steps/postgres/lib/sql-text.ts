import { StepError } from '../../../engine/errors.js';

/** A piece of SQL: code, or something whose inside means nothing to the statement's structure. */
const piece =
  /--[^\n]*|'(?:[^']|'')*'|"(?:[^"]|"")*"|(?<![\w$\u0080-\uffff])\$([A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$|\/\*|(?<!:):"(?:[^"]|"")+"|;|\b[eE]'(?:[^'\\]|''|\\[\s\S])*'/g;

interface Piece {
  readonly kind: 'separator' | 'placeholder' | 'comment' | 'quoted';
  readonly start: number;
  readonly end: number;
}

/** Finds comments, strings, dollar quotes, placeholders and semicolons (source: PostgreSQL's "Lexical Structure"). */
function pieces(sql: string): Piece[] {
  const found: Piece[] = [];
  const scan = new RegExp(piece.source, 'g');
  for (let match = scan.exec(sql); match !== null; match = scan.exec(sql)) {
    const start = match.index;
    const text = match[0];
    if (text === ';') found.push({ kind: 'separator', start, end: start + 1 });
    else if (text.startsWith(':"')) found.push({ kind: 'placeholder', start, end: start + text.length });
    else if (text.startsWith('--')) found.push({ kind: 'comment', start, end: start + text.length });
    else if (text === '/*') found.push({ kind: 'comment', start, end: (scan.lastIndex = endOfComment(sql, start)) });
    else if (text.startsWith('$')) {
      const close = sql.indexOf(text, scan.lastIndex);
      if (close < 0) throw new StepError('bad-sql', `unfinished ${text} quote`);
      found.push({ kind: 'quoted', start, end: (scan.lastIndex = close + text.length) });
    } else found.push({ kind: 'quoted', start, end: start + text.length });
  }
  return found;
}

/** Block comments nest. */
function endOfComment(sql: string, start: number): number {
  let depth = 0;
  for (let at = start; at < sql.length; at += 1) {
    if (sql.startsWith('/*', at)) {
      depth += 1;
      at += 1;
    } else if (sql.startsWith('*/', at)) {
      depth -= 1;
      at += 1;
      if (depth === 0) return at + 1;
    }
  }
  throw new StepError('bad-sql', 'unfinished /* comment');
}

const readers = new Set(['SELECT', 'WITH', 'VALUES', 'TABLE', 'SHOW', 'EXPLAIN']);

/**
 * Refuses what a step must not send: more than one statement, a template, and for `reads` anything that is no query (a
 * read-only transaction does not stop COPY TO PROGRAM). Throws StepError `bad-sql`. Pure.
 */
export function checkStatement(sql: string, reads: boolean): void {
  if (sql.includes('{{')) throw new StepError('bad-sql', 'SQL takes no template', { hint: 'give values through `params` ($1, $2) and names through `identifiers` (:"name")' });
  const parts = pieces(sql);
  const [first] = parts.filter((part) => part.kind === 'separator');
  if (first !== undefined && code(sql, parts, first.end).trim().replaceAll(';', '') !== '') throw new StepError('bad-sql', 'one statement per step: text after the first `;`');
  const word = /^[\s(]*([A-Za-z]+)/.exec(code(sql, parts, 0))?.[1]?.toUpperCase();
  if (word === undefined) throw new StepError('bad-sql', 'no statement in `sql`');
  if (['BEGIN', 'START', 'COMMIT', 'END', 'ROLLBACK', 'ABORT', 'SAVEPOINT', 'RELEASE', 'PREPARE'].includes(word)) throw new StepError('bad-sql', `${word}: transactions are the step's own affair`);
  if (reads && !readers.has(word)) throw new StepError('bad-sql', `effect read takes a query, not ${word}`, { hint: `one of ${[...readers].join(', ')}; or say what the statement does in \`effect\`` });
}

/** The text from `from` on with comments blanked and quoted parts kept as a placeholder character. */
function code(sql: string, parts: readonly Piece[], from: number): string {
  let text = '';
  let at = from;
  for (const part of parts) {
    if (part.end <= from) continue;
    text += sql.slice(at, part.start) + (part.kind === 'comment' ? ' ' : part.kind === 'separator' ? ';' : '?');
    at = part.end;
  }
  return text + sql.slice(at);
}

/** The names of psql-style placeholders `:"name"` outside of strings and comments. */
export function placeholders(sql: string): string[] {
  return [...new Set(pieces(sql).filter((part) => part.kind === 'placeholder').map((part) => sql.slice(part.start + 2, part.end - 1)))];
}

/** Puts driver-quoted identifiers in place of `:"name"`. Throws StepError `bad-sql` when names and placeholders differ. */
export function bindIdentifiers(sql: string, identifiers: Readonly<Record<string, string>>, quote: (name: string) => string): string {
  checkIdentifiers(sql, Object.keys(identifiers));
  let text = '';
  let at = 0;
  for (const part of pieces(sql)) {
    if (part.kind !== 'placeholder') continue;
    text += sql.slice(at, part.start) + quote(identifiers[sql.slice(part.start + 2, part.end - 1)] ?? '');
    at = part.end;
  }
  return text + sql.slice(at);
}

export function checkIdentifiers(sql: string, names: readonly string[]): void {
  const used = placeholders(sql);
  for (const name of used) if (!names.includes(name)) throw new StepError('bad-sql', `:"${name}" has no entry in \`identifiers\``);
  for (const name of names) if (!used.includes(name)) throw new StepError('bad-sql', `\`identifiers\` names ${name}, which \`sql\` does not use`, { hint: `write :"${name}" where it belongs` });
}
