import type { PostgresAddress, PostgresSession, SessionOptions } from '../../../clients/postgres/port.js';
import type { BaseContext } from '../../../engine/define-step.js';

/** Runs `work` in a session of its own and always ends it; an abort ends it at once. */
export async function withSession<T>(ctx: Pick<BaseContext, 'ports' | 'signal'>, address: PostgresAddress, options: SessionOptions, work: (session: PostgresSession) => Promise<T>): Promise<T> {
  ctx.signal.throwIfAborted();
  const session = await ctx.ports.postgres.connect(address, options);
  const abort = () => void session.close().catch(() => undefined);
  ctx.signal.addEventListener('abort', abort, { once: true });
  try {
    return await work(session);
  } catch (error) {
    throw ctx.signal.aborted ? ctx.signal.reason : error;
  } finally {
    ctx.signal.removeEventListener('abort', abort);
    await session.close().catch(() => undefined);
  }
}

/** Runs `work` between BEGIN and COMMIT; ROLLBACK when it throws. */
export async function transaction<T>(session: PostgresSession, begin: string, work: () => Promise<T>): Promise<T> {
  await session.query(begin);
  try {
    const result = await work();
    await session.query('COMMIT');
    return result;
  } catch (error) {
    await session.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

/** Runs `work` in a transaction that never commits: what it makes is gone afterwards. */
export async function rolledBack<T>(session: PostgresSession, work: () => Promise<T>): Promise<T> {
  await session.query('BEGIN');
  try {
    return await work();
  } finally {
    await session.query('ROLLBACK').catch(() => undefined);
  }
}

/** The first row; a query that promises one and gives none is a bug of ours or of the server. */
export async function one<R extends Record<string, unknown>>(session: PostgresSession, sql: string, params: readonly unknown[] = []): Promise<R> {
  const [row] = (await session.query<R>(sql, params)).rows;
  if (row === undefined) throw new Error(`no row from: ${sql}`);
  return row;
}

export async function exists(session: PostgresSession, table: string): Promise<boolean> {
  return (await one<{ there: boolean }>(session, 'SELECT to_regclass($1) IS NOT NULL AS there', [session.identifier(table)])).there;
}
