import type { PostgresSession } from '../../../clients/postgres/port.js';
import type { BaseContext } from '../../../engine/define-step.js';
import { StepError } from '../../../engine/errors.js';
import { digestOf, fixTextForm, type TableDigest } from './digest.js';
import { utc } from './facts.js';
import { one, withSession } from './session.js';
import { describe, sqlState } from './sql-errors.js';

export interface Snapshot {
  /** Lies strictly between the last commit on these tables before it and the first one after it. */
  readonly time: string;
  /** Insert position of the WAL at that moment: every commit that the snapshot shows ends at or before it. */
  readonly lsn: string;
  /** The next transaction id to be given out. */
  readonly xid: string;
  readonly timeline: number;
  readonly tables: Record<string, TableDigest>;
}

export interface SnapshotRequest {
  readonly server: string;
  readonly tables: readonly string[];
  readonly database?: string;
  /** How long to try for the locks. */
  readonly lockTimeoutMs: number;
}

/**
 * One attempt for all locks stays below deadlock_timeout (1 s by default), so that it is always we who give way when a
 * client holds one of the tables and wants another: no client's transaction is ever chosen as a deadlock's victim.
 */
const lockAttemptMs = 400;

/**
 * Counts and checksums of tables as of one moment while clients go on writing. SHARE locks wait until no transaction
 * that wrote to the tables is open; under them a second session fixes its REPEATABLE READ snapshot and notes time and
 * LSN; then the locks go at once and the snapshot is read in peace.
 */
export async function takeSnapshot(request: SnapshotRequest, ctx: BaseContext): Promise<Snapshot> {
  const address = { connection: request.server };
  const options = { effect: 'read' as const, ...(request.database === undefined ? {} : { database: request.database }) };
  return withSession(ctx, address, { ...options, label: 'snapshot' }, async (reader) => {
    await fixTextForm(reader);
    const list = request.tables.map((table) => reader.identifier(table)).join(', ');
    const moment = await withSession(ctx, address, { ...options, label: 'snapshot-lock' }, (locker) => underLock(locker, list, request.lockTimeoutMs, ctx, () => fixMoment(reader, list)));
    const tables: Record<string, TableDigest> = {};
    for (const table of request.tables) {
      const started = performance.now();
      tables[table] = await digestOf(reader, table);
      ctx.log(`${table}: ${tables[table].rows} rows, checksummed in ${Math.round(performance.now() - started)} ms`);
    }
    await reader.query('COMMIT');
    return { ...moment, tables };
  });
}

async function fixMoment(reader: PostgresSession, list: string): Promise<Omit<Snapshot, 'tables'>> {
  // Not earlier: a transaction may take its snapshot as soon as it begins.
  await reader.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
  // Keeps the tables from being dropped or rewritten before they are read.
  await reader.query(`LOCK TABLE ${list} IN ACCESS SHARE MODE`);
  return one(
    reader,
    `SELECT ${utc('clock_timestamp()')} AS time, lsn::text AS lsn, pg_snapshot_xmax(pg_current_snapshot())::text AS xid,
            ('x' || substr(pg_walfile_name(lsn), 1, 8))::bit(32)::int AS timeline
       FROM pg_current_wal_insert_lsn() AS lsn`,
  );
}

async function underLock<T>(locker: PostgresSession, list: string, timeoutMs: number, ctx: BaseContext, work: () => Promise<T>): Promise<T> {
  await locker.query(`SELECT set_config('statement_timeout', $1, false)`, [String(lockAttemptMs)]);
  const started = performance.now();
  for (;;) {
    await locker.query('BEGIN');
    try {
      await locker.query(`LOCK TABLE ${list} IN SHARE MODE`);
      const asked = performance.now();
      const result = await work();
      await locker.query('COMMIT');
      ctx.log(`locked after ${Math.round(asked - started)} ms, held ${Math.round(performance.now() - asked)} ms`);
      return result;
    } catch (error) {
      await locker.query('ROLLBACK');
      // 57014: our statement_timeout; 40P01: we were the victim of a deadlock.
      if (!['57014', '40P01'].includes(sqlState(error) ?? '')) throw error;
      if (performance.now() - started > timeoutMs) {
        throw new StepError('lock-timeout', `no moment within ${timeoutMs} ms in which nobody was writing to ${list}: ${describe(error)}`, {
          retryable: true,
          cause: error,
          hint: 'a long transaction holds a table: see pg_locks, or give a longer `lockTimeout`',
        });
      }
    }
    await ctx.clock.sleep(50, ctx.signal);
  }
}
