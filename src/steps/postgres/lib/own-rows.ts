import type { PostgresAddress } from '../../../clients/postgres/port.js';
import type { BaseContext } from '../../../engine/define-step.js';
import { messageOf } from '../../../engine/errors.js';
import { exists, one, transaction, withSession } from './session.js';
import { sqlState } from './sql-errors.js';

/** Rows of one run in a table of Muster's own (muster_marker, muster_ledger, muster_availability). */
export interface OwnRows {
  readonly table: string;
  /** The column that says whose rows they are. */
  readonly column: string;
  readonly key: string;
  readonly database?: string;
}

/** Deletes them, and drops the table when it is empty then and belongs to us. A server that is gone took them with it. */
export async function removeOwnRows(ctx: BaseContext, address: PostgresAddress, { table, column, key, database }: OwnRows): Promise<void> {
  await unlessGone(ctx, () =>
    withSession(ctx, address, { effect: 'modify', label: 'cleanup', connectTimeoutMs: 10_000, ...(database === undefined ? {} : { database }) }, async (session) => {
      if (!(await exists(session, table))) return;
      await transaction(session, 'BEGIN', async () => {
        const { owned } = await one<{ owned: boolean }>(session, "SELECT pg_has_role(relowner, 'USAGE') AS owned FROM pg_class WHERE oid = to_regclass($1)", [table]);
        if (owned) await session.query(`LOCK TABLE ${table} IN ACCESS EXCLUSIVE MODE`);
        await session.query(`DELETE FROM ${table} WHERE ${column} = $1`, [key]);
        if (owned && (await session.query(`SELECT FROM ${table} LIMIT 1`)).rowCount === 0) await session.query(`DROP TABLE ${table}`);
      });
    }),
  );
}

/** What a probe registers before it writes through an endpoint: the server behind it may be another by the time of the cleanup. */
export function probeRows(ctx: Pick<BaseContext, 'ports'>, endpoint: string, key: string): Record<string, unknown> {
  return { endpoint, connection: ctx.ports.endpoints.current(endpoint), key };
}

/** Removes what `probeRows` names from every server that the endpoint led to at the start and leads to now. */
export async function removeProbeRows(ctx: BaseContext, data: Record<string, unknown>, table: string, column: string): Promise<void> {
  const endpoint = String(data['endpoint']);
  const behind = new Set([data['connection'], ctx.ports.endpoints.current(endpoint)].filter((name): name is string => typeof name === 'string'));
  const addresses: PostgresAddress[] = behind.size === 0 ? [{ endpoint }] : [...behind].map((connection) => ({ connection }));
  for (const address of addresses) await removeOwnRows(ctx, address, { table, column, key: String(data['key']) });
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
