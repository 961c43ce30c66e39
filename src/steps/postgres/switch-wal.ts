import { Type } from 'typebox';
import { defineStep } from '../../engine/define-step.js';
import { parseDuration } from '../../engine/duration.js';
import { StepError } from '../../engine/errors.js';
import { Duration, strict } from '../../engine/schema.js';
import { inWords, membersOf } from '../../engine/plannable.js';
import { waitArchived } from './lib/archiver.js';
import { Server } from './lib/inputs.js';
import { onCommonFunctions, onFunctions, rights } from './lib/rights.js';
import { one, transaction, withSession } from './lib/session.js';

export const step = defineStep({
  type: 'postgres.switch-wal',
  summary: 'Writes a commit record, ends the WAL segment, and waits until it is archived: recovery finds its target only when a commit behind it is in the archive.',
  input: Type.Object({ server: Server('The server whose WAL is to be archived'), wait: Type.Optional(Duration('How long to wait for the archiver; default 1m.')) }, strict),
  output: Type.Object({ segment: Type.String(), lsn: Type.String({ description: 'Behind the commit record' }), timeline: Type.Integer() }, strict),
  effect: 'modify',
  changes: (input) => [{ system: `postgres:${inWords(membersOf(input).server)}`, object: 'WAL segment' }],
  permissions: (input) => rights(membersOf(input).server, [...onFunctions('pg_switch_wal()'), ...onCommonFunctions('pg_logical_emit_message(boolean, text, text)', 'pg_walfile_name(pg_lsn)')]),
  evidence: [],
  examples: [{ title: 'Before a restore to a time', with: { server: 'source' } }],
  repeatable: true,
  plan(input) {
    const { server, wait } = membersOf(input);
    return {
      does: `Writes an empty transaction to ${inWords(server)}'s WAL, switches to a new segment, and waits at most ${wait === undefined ? '1m' : inWords(wait)} until the old one is archived`,
      calls: ["SELECT pg_logical_emit_message(true, 'muster', <run>)", 'SELECT pg_switch_wal()', 'SELECT ... FROM pg_stat_archiver (until archived)'],
    };
  },
  async run(input, ctx) {
    return withSession(ctx, { connection: input.server }, { effect: 'modify', label: 'switch-wal' }, async (session) => {
      const { mode } = await one<{ mode: string }>(session, `SELECT current_setting('archive_mode') AS mode`);
      if (mode === 'off') throw new StepError('archiving-off', `archive_mode is off on ${input.server}: nothing of its WAL reaches the archive`);
      const before = await one<{ failed: string }>(session, 'SELECT failed_count::text AS failed FROM pg_stat_archiver');
      await transaction(session, 'BEGIN', async () => {
        await session.query(`SELECT set_config('synchronous_commit', 'local', true)`);
        await session.query(`SELECT pg_logical_emit_message(true, 'muster', $1::text)`, [ctx.runId]);
      });
      const ended = await one<{ lsn: string; segment: string; timeline: number }>(
        session,
        `SELECT lsn::text AS lsn, pg_walfile_name(lsn) AS segment, ('x' || substr(pg_walfile_name(lsn), 1, 8))::bit(32)::int AS timeline FROM pg_switch_wal() AS lsn`,
      );
      await waitArchived(session, ended.segment, Number(before.failed), parseDuration(input.wait ?? '1m'), ctx);
      return { segment: ended.segment, lsn: ended.lsn, timeline: ended.timeline };
    });
  },
});
