import { setTimeout as pause } from 'node:timers/promises';
import type { Server } from './server.js';

/** Bytes of WAL as PostgreSQL counts them; null: none was ever received. */
export interface Position {
  readonly received: string | null;
  readonly replayed: string | null;
}

export async function position(server: Server): Promise<Position> {
  const [row] = await server.query<{ received: string | null; replayed: string | null }>('SELECT pg_last_wal_receive_lsn()::text AS received, pg_last_wal_replay_lsn()::text AS replayed');
  return row ?? { received: null, replayed: null };
}

export function lsnNumber(lsn: string | null): bigint {
  const [high = '0', low = '0'] = (lsn ?? '0/0').split('/');
  return (BigInt(`0x${high}`) << 32n) + BigInt(`0x${low}`);
}

/** The one that lost least: by what it received, then by what it replayed. */
export async function mostAdvanced(servers: readonly Server[]): Promise<Server | undefined> {
  const found = await Promise.all(servers.map(async (server) => ({ server, at: await position(server).catch(() => undefined) })));
  const rated = found.flatMap(({ server, at }) => (at === undefined ? [] : [{ server, received: lsnNumber(at.received), replayed: lsnNumber(at.replayed) }]));
  return rated.toSorted((a, b) => Number(b.received - a.received) || Number(b.replayed - a.replayed))[0]?.server;
}

export async function receiverPid(server: Server): Promise<number | undefined> {
  return (await server.query<{ pid: number }>('SELECT pid FROM pg_stat_wal_receiver'))[0]?.pid;
}

/**
 * Ends the WAL receiver of a standby that was told to stream from nobody. One that is stopped gets its SIGTERM before it goes on, so
 * that it reads nothing that came meanwhile: as if its network had been cut.
 */
export async function receiverDown(server: Server, signal: AbortSignal): Promise<void> {
  for (let pid = await receiverPid(server); pid !== undefined; pid = await receiverPid(server)) {
    signal.throwIfAborted();
    try {
      process.kill(pid, 'SIGTERM');
      process.kill(pid, 'SIGCONT');
    } catch {
      return;
    }
    await pause(10);
  }
}

/** The timeline that a server writes or follows. */
export async function timelineOf(server: Server): Promise<number> {
  const [row] = await server.query<{ timeline: number | null }>(
    `SELECT CASE WHEN pg_is_in_recovery() THEN coalesce((SELECT received_tli FROM pg_stat_wal_receiver), (SELECT min_recovery_end_timeline FROM pg_control_recovery()), 0)
            ELSE ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::int END AS timeline`,
  );
  return row?.timeline ?? 0;
}
