import type { PostgresSession } from '../../../clients/postgres/port.js';
import type { BaseContext } from '../../../engine/define-step.js';
import { messageOf } from '../../../engine/errors.js';
import { exists, transaction, withSession } from './session.js';
import { sqlState } from './sql-errors.js';

export const markerTable = 'muster_marker';

export async function hasMarker(session: PostgresSession, id: string): Promise<boolean> {
  if (!(await exists(session, markerTable))) return false;
  return (await session.query(`SELECT FROM ${markerTable} WHERE id = $1`, [id])).rowCount > 0;
}

/** A server that is gone took the row with it. */
export async function dropMarker(data: Record<string, unknown>, ctx: BaseContext): Promise<void> {
  const { server, id, database } = data;
  await unlessGone(ctx, () =>
    withSession(ctx, { connection: String(server) }, { effect: 'modify', label: 'cleanup', ...(typeof database === 'string' ? { database } : {}) }, async (session) => {
      if (!(await exists(session, markerTable))) return;
      await transaction(session, 'BEGIN', async () => {
        await session.query(`LOCK TABLE ${markerTable} IN ACCESS EXCLUSIVE MODE`);
        await session.query(`DELETE FROM ${markerTable} WHERE id = $1`, [id]);
        const { rowCount } = await session.query(`SELECT FROM ${markerTable} LIMIT 1`);
        if (rowCount === 0) await session.query(`DROP TABLE ${markerTable}`);
      });
    }),
  );
}

/**
 * A cleanup inside a server that does not answer any more has nothing left to do: the server, with all that is in it, is
 * the affair of whoever provisioned it. It is logged. An SQL error is an error.
 */
export async function unlessGone(ctx: BaseContext, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (sqlState(error) !== undefined || ctx.signal.aborted) throw error;
    ctx.log(`left alone, the server does not answer: ${messageOf(error)}`);
  }
}

