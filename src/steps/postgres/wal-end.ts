import { Type } from 'typebox';
import type { PostgresSession } from '../../clients/postgres/port.js';
import { defineStep, type StepContext } from '../../engine/define-step.js';
import { StepError } from '../../engine/errors.js';
import { nullable, strict } from '../../engine/schema.js';
import { inWords, membersOf } from '../../engine/plannable.js';
import { identityOf } from './lib/facts.js';
import { Server } from './lib/inputs.js';
import { onCommonFunctions, onFunctions, rights } from './lib/rights.js';
import { readHistory, readHistoryReason, readRecovery } from './lib/recovery-log.js';
import { one, withSession } from './lib/session.js';

export const step = defineStep({
  type: 'postgres.wal-end',
  summary: 'Finds out from a restored server where its recovery really ended: what stopped it, at which transaction, time and LSN, and on which timeline.',
  input: Type.Object({ server: Server("The restored copy. Of one that runs elsewhere the timeline history is read, which says where recovery stopped and not what the last transaction was") }, strict),
  output: Type.Object(
    {
      lsn: nullable(Type.String({ description: 'The last record that was replayed' })),
      timeline: Type.Integer({ description: 'The timeline that the copy writes now' }),
      lastCommitAt: nullable(Type.String({ description: 'Time of the last transaction that was replayed, UTC' })),
    },
    strict,
  ),
  effect: 'read',
  changes: () => [],
  permissions: (input) => rights(membersOf(input).server, [...onFunctions('pg_read_file(text, bigint, bigint, boolean)'), ...onCommonFunctions('pg_control_system()', 'pg_control_checkpoint()', 'pg_database_size(name)')]),
  evidence: ['wal-end'],
  examples: [{ title: 'After a restore', with: { server: 'copy' } }],
  plan(input) {
    const { server } = membersOf(input);
    return {
      does: `Reads from the log (elsewhere than here: from the timeline history) and the control data of ${inWords(server)} where its recovery ended`,
      calls: ["read the server's log, where it runs here", 'SELECT ... FROM pg_control_system()', "SELECT pg_read_file('pg_wal/<timeline>.history')"],
    };
  },
  async run(input, ctx) {
    // Replay functions are not asked: they forget everything at the next restart.
    const lines = await localLog(input.server, ctx);
    return withSession(ctx, { connection: input.server }, { effect: 'read', label: 'wal-end' }, async (session) => {
      const identity = await identityOf(session);
      const content = await historyOf(session, identity.timeline);
      const recovery = lines === undefined ? readHistoryReason(content) : readRecovery(lines);
      if (recovery === null) throw noRecovery(input.server, lines === undefined);
      const state = await one<{ inRecovery: boolean; archiveMode: string; serverVersion: string; size: string }>(
        session,
        `SELECT pg_is_in_recovery() AS "inRecovery", current_setting('archive_mode') AS "archiveMode", current_setting('server_version') AS "serverVersion", pg_database_size(current_database())::text AS size`,
      );
      const { size, ...facts } = state;
      await ctx.evidence('wal-end', {
        connection: input.server,
        stop: recovery.stop,
        logLine: recovery.logLine,
        replayEndLsn: recovery.replayEndLsn,
        lastCommitAt: recovery.lastTransactionAt,
        ...facts,
        dataBytes: Number(size),
        ...identity,
        history: readHistory(content),
      });
      ctx.log(recovery.logLine ?? 'no line says what ended the recovery');
      return { lsn: recovery.replayEndLsn, timeline: identity.timeline, lastCommitAt: recovery.lastTransactionAt };
    });
  },
});

/** undefined for a server elsewhere, whose log nobody here can read. */
async function localLog(server: string, ctx: StepContext): Promise<readonly string[] | undefined> {
  try {
    return await ctx.ports.postgres.local(server).logLines();
  } catch (error) {
    if (error instanceof StepError && error.code === 'not-local') return undefined;
    throw error;
  }
}

function noRecovery(server: string, remote: boolean): StepError {
  if (remote) return new StepError('no-recovery-history', `the timeline history of ${server} does not say that a recovery ended there`, { hint: 'is it a copy that was restored? One that never left its first timeline has no history' });
  return new StepError('no-recovery-log', `the log of ${server} since its start holds no recovery`, { hint: 'has it been restarted after the restore? Then the log no longer says where the recovery ended' });
}

/** Empty where the server has never left a timeline. */
async function historyOf(session: PostgresSession, timeline: number): Promise<string> {
  const name = `pg_wal/${timeline.toString(16).toUpperCase().padStart(8, '0')}.history`;
  const { content } = await one<{ content: string | null }>(session, 'SELECT pg_read_file($1, 0, 1048576, true) AS content', [name]);
  return content ?? '';
}
