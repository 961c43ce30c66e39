import { Type } from 'typebox';
import type { PostgresSession } from '../../clients/postgres/port.js';
import { defineStep } from '../../engine/define-step.js';
import { StepError } from '../../engine/errors.js';
import { nullable, strict } from '../../engine/schema.js';
import { inWords, membersOf } from '../../engine/plannable.js';
import { identityOf } from './lib/facts.js';
import { Server } from './lib/inputs.js';
import { onCommonFunctions, onFunctions, rights } from './lib/rights.js';
import { readHistory, readRecovery } from './lib/recovery-log.js';
import { one, withSession } from './lib/session.js';

export const step = defineStep({
  type: 'postgres.wal-end',
  summary: 'Finds out from a restored server where its recovery really ended: what stopped it, at which transaction, time and LSN, and on which timeline.',
  input: Type.Object({ server: Server('The restored copy, started by this run') }, strict),
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
      does: `Reads from the log and the control data of ${inWords(server)} where its recovery ended`,
      calls: ["read the server's log", 'SELECT ... FROM pg_control_system()', "SELECT pg_read_file('pg_wal/<timeline>.history')"],
    };
  },
  async run(input, ctx) {
    // Replay functions are not asked: they forget everything at the next restart.
    const recovery = readRecovery(await ctx.ports.postgres.local(input.server).logLines());
    if (recovery === null) {
      throw new StepError('no-recovery-log', `the log of ${input.server} since its start holds no recovery`, { hint: 'has it been restarted after the restore? Then the log no longer says where the recovery ended' });
    }
    return withSession(ctx, { connection: input.server }, { effect: 'read', label: 'wal-end' }, async (session) => {
      const identity = await identityOf(session);
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
        history: await historyOf(session, identity.timeline),
      });
      ctx.log(recovery.logLine ?? 'no line says what ended the recovery');
      return { lsn: recovery.replayEndLsn, timeline: identity.timeline, lastCommitAt: recovery.lastTransactionAt };
    });
  },
});

async function historyOf(session: PostgresSession, timeline: number) {
  const name = `pg_wal/${timeline.toString(16).toUpperCase().padStart(8, '0')}.history`;
  const { content } = await one<{ content: string | null }>(session, 'SELECT pg_read_file($1, 0, 1048576, true) AS content', [name]);
  return content === null ? [] : readHistory(content);
}
