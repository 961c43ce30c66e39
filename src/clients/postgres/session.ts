import { Socket } from 'node:net';
import type pg from 'pg';
import { StepError } from '../../engine/errors.js';
import { connectionError, queryError } from './errors.js';
import type { Login } from './password.js';
import type { PostgresSession, QueryResult } from './port.js';
import { valueTypes } from './values.js';
import { quietSession } from './watched.js';

export interface OpenRequest extends Login {
  /** Where the connection goes: the address that `host` was resolved to, or a socket directory. */
  readonly address: string;
  /** Asked only when the server wants one. */
  readonly password: () => Promise<string>;
  readonly applicationName: string;
  readonly ssl: false | { readonly servername?: string; readonly rejectUnauthorized: boolean; readonly ca?: string };
  /** The session's default; a statement may still ask otherwise. */
  readonly readOnly: boolean;
  /** Nothing that the session says may write: every statement runs inside a transaction that cannot become writable. */
  readonly locked: boolean;
  readonly connectTimeoutMs: number;
  readonly statementTimeoutMs: number | undefined;
  /** Its statements stay out of the log of a server that is ours, where possible. */
  readonly quiet?: boolean;
  /** Called immediately before every statement. */
  readonly before: () => Promise<void>;
}

const defaultsOfPg = /^PG(?!PASS)/;

/** pg fills what it was not given from PG* variables; only what an environment file says may decide where we connect. */
function withoutPgVariables<T>(make: () => T): T {
  const hidden = Object.entries(process.env).filter(([name]) => defaultsOfPg.test(name));
  for (const [name] of hidden) delete process.env[name];
  try {
    return make();
  } finally {
    for (const [name, value] of hidden) process.env[name] = value;
  }
}

/** For whoever waits for a server that is being made. What is wrong with it is told by the session that needs it. */
export function readyDriver(): void {
  import('pg').catch(() => undefined);
}

/** Opens one connection. Throws StepError `postgres-unreachable` (retryable), `postgres-refused` or `postgres-no-password`. */
export async function openSession(request: OpenRequest, signal: AbortSignal): Promise<PostgresSession> {
  signal.throwIfAborted();
  const { default: driver } = await import('pg');
  const where = `${request.host}:${request.port}`;
  const socket = new Socket();
  const client = withoutPgVariables(
    () =>
      new driver.Client({
        host: request.address,
        port: request.port,
        user: request.user,
        database: request.database,
        password: request.password,
        application_name: request.applicationName,
        ssl: request.ssl,
        connectionTimeoutMillis: request.connectTimeoutMs,
        stream: () => socket,
        types: valueTypes(driver.types),
      }),
  );
  let lost: Error | undefined;
  client.on('error', (error: Error) => {
    lost ??= error;
  });
  const abort = (): void => {
    cancelRunning(client, request);
    socket.destroy();
  };
  signal.addEventListener('abort', abort, { once: true });
  const leave = async (): Promise<void> => {
    signal.removeEventListener('abort', abort);
    if (socket.destroyed) return;
    await client.end().catch(() => socket.destroy());
  };
  try {
    await client.connect();
    await client.query(preamble(request));
  } catch (error) {
    await leave();
    socket.destroy();
    signal.throwIfAborted();
    throw connectionError(where, error);
  }
  return {
    identifier: (name) => quoteName(name, driver.escapeIdentifier),
    close: leave,
    async query<R extends Record<string, unknown>>(sql: string, params?: readonly unknown[]): Promise<QueryResult<R>> {
      await request.before();
      signal.throwIfAborted();
      if (lost !== undefined) throw connectionError(where, lost);
      try {
        const result = request.locked ? await lockedQuery<R>(client, sql, params) : await plainQuery<R>(client, sql, params);
        return { rows: result.rows, rowCount: result.rowCount ?? 0 };
      } catch (error) {
        signal.throwIfAborted();
        throw queryError(where, error);
      }
    },
  };
}

/** Settings that decide how values look, whatever the server's own defaults are. */
function preamble(request: OpenRequest): string {
  const settings = ["SET TimeZone='UTC'", "SET DateStyle='ISO, YMD'", "SET IntervalStyle='postgres'", "SET extra_float_digits=1", "SET bytea_output='hex'"];
  if (request.readOnly || request.locked) settings.push('SET default_transaction_read_only=on');
  if (request.statementTimeoutMs !== undefined) settings.push(`SET statement_timeout=${Math.max(1, Math.round(request.statementTimeoutMs))}`);
  if (request.quiet === true) settings.push(quietSession);
  return settings.join(';');
}

/** Several statements in one text give several results: the last one counts. */
async function plainQuery<R extends Record<string, unknown>>(client: pg.Client, sql: string, params: readonly unknown[] | undefined): Promise<pg.QueryResult<R>> {
  const result: pg.QueryResult<R> | pg.QueryResult<R>[] = params === undefined ? await client.query<R>(sql) : await client.query<R>(sql, [...params]);
  return Array.isArray(result) ? (result.at(-1) ?? result[0]) : result;
}

const begins = /^\s*(begin|start\s+transaction)\b/i;
const newTransaction: ReadonlySet<string> = new Set(['BEGIN', 'START', 'COMMIT', 'ROLLBACK']);

/**
 * One statement per message, and each in a transaction that is read-only and has taken its snapshot: from then on
 * PostgreSQL refuses to make it writable ("transaction read-write mode must be set before any query").
 */
async function lockedQuery<R extends Record<string, unknown>>(client: pg.Client, sql: string, params: readonly unknown[] | undefined): Promise<pg.QueryResult<R>> {
  const run = (text: string): Promise<pg.QueryResult<R>> => {
    const extended: pg.QueryConfig & { readonly queryMode: 'extended' } = { text, values: params === undefined ? [] : [...params], queryMode: 'extended' };
    return client.query<R>(extended);
  };
  if (client.getTransactionStatus() !== 'I' || begins.test(sql)) {
    const result = await run(sql);
    // A new transaction: BEGIN, or COMMIT AND CHAIN.
    if (newTransaction.has(result.command) && client.getTransactionStatus() === 'T') await client.query('SET TRANSACTION READ ONLY; SELECT 1');
    return result;
  }
  await client.query('BEGIN READ ONLY; SELECT 1');
  try {
    const result = await run(sql);
    if (client.getTransactionStatus() !== 'I') await client.query('COMMIT');
    return result;
  } catch (error) {
    if (client.getTransactionStatus() !== 'I') await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

/** `name` or `schema.name`; throws StepError `not-an-identifier`. */
function quoteName(name: string, quote: (part: string) => string): string {
  const parts = name.split('.');
  if (parts.length > 2 || parts.some((part) => part === '' || part.includes('\0'))) {
    throw new StepError('not-an-identifier', `expected name or schema.name, found ${JSON.stringify(name)}`);
  }
  return parts.map(quote).join('.');
}

/** Asks the server to stop what the session runs: a closed socket alone is noticed only when it has rows to send. */
function cancelRunning(client: pg.Client, request: OpenRequest): void {
  const pid: unknown = Reflect.get(client, 'processID');
  const key: unknown = Reflect.get(client, 'secretKey');
  if (typeof pid !== 'number' || typeof key !== 'number' || request.address.startsWith('/')) return;
  const message = Buffer.alloc(16);
  message.writeInt32BE(16, 0);
  message.writeInt32BE(80877102, 4);
  message.writeInt32BE(pid, 8);
  message.writeInt32BE(key, 12);
  const socket = new Socket();
  socket.setTimeout(1_000, () => socket.destroy());
  socket.on('error', () => socket.destroy());
  socket.connect(request.port, request.address, () => socket.end(message));
  socket.unref();
}
