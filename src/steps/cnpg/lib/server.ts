import type { BaseContext } from '../../../engine/define-step.js';
import { identityOf } from '../../postgres/lib/facts.js';
import { one, withSession } from '../../postgres/lib/session.js';
import type { ServerFacts } from './checks.js';

/** What the server behind a connection says now. Any role may ask all of it. */
export async function readServer(ctx: Pick<BaseContext, 'ports' | 'signal'>, connection: string): Promise<ServerFacts> {
  return withSession(ctx, { connection }, { effect: 'read', label: 'cnpg', connectTimeoutMs: 5_000, statementTimeoutMs: 10_000 }, async (session) => {
    const state = await one<{ inRecovery: boolean; archived: string | null; archiveFails: boolean }>(
      session,
      `SELECT pg_is_in_recovery() AS "inRecovery", last_archived_wal AS archived, coalesce(last_failed_time > last_archived_time, last_failed_time IS NOT NULL) AS "archiveFails" FROM pg_stat_archiver`,
    );
    return { ...state, ...(await identityOf(session)) };
  });
}
