import { Type } from 'typebox';
import { defineProbe } from '../../engine/define-step.js';
import { parseDuration } from '../../engine/duration.js';
import { messageOf } from '../../engine/errors.js';
import { Duration, strict } from '../../engine/schema.js';
import { inWords, membersOf } from '../../engine/plannable.js';
import { Client } from './lib/client.js';
import { Server } from './lib/inputs.js';
import { onCommonFunctions, rights } from './lib/rights.js';
import { every } from './lib/loop.js';
import { one } from './lib/session.js';

export const probe = defineProbe({
  type: 'postgres.lsn',
  summary: 'Samples time and flushed WAL position of a server that may not be written, as basis of the RPO.',
  input: Type.Object({ server: Server('The server to sample'), every: Type.Optional(Duration('Interval; default 1s.')) }, strict),
  samples: 'lsn',
  changes: () => [],
  permissions: (input) => rights(membersOf(input).server, onCommonFunctions('pg_current_wal_flush_lsn()')),
  examples: [{ title: 'Beside a living system', with: { server: 'production', every: '1s' } }],
  plan(input) {
    const { server, every: interval } = membersOf(input);
    return { does: `Samples the flushed WAL position of ${inWords(server)} every ${interval === undefined ? '1s' : inWords(interval)}`, calls: ['SELECT pg_current_wal_flush_lsn() (on a standby: pg_last_wal_replay_lsn())'] };
  },
  async start(input, ctx) {
    const everyMs = parseDuration(input.every ?? '1s');
    const timeout = Math.max(everyMs, 1_000);
    const client = new Client(ctx.clock, () => ctx.ports.postgres.connect({ connection: input.server }, { effect: 'read', label: ctx.probe, connectTimeoutMs: timeout }));
    let silent = false;
    const loop = every(ctx.clock, everyMs, ctx.signal, async () => {
      try {
        await client.connect(timeout);
        // Asked before, answered after: whatever was flushed at this instant is at or before the answer.
        const instant = ctx.clock.now();
        const { lsn } = await client.run(timeout, (session) => one<{ lsn: string | null }>(session, 'SELECT (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_flush_lsn() END)::text AS lsn'));
        if (lsn !== null) ctx.sample({ type: 'lsn.sample', data: { probe: ctx.probe, store: input.server, instant, lsn } });
        silent = false;
      } catch (error) {
        if (!silent) ctx.log(`no sample: ${messageOf(error)}`);
        silent = true;
      }
    });
    return {
      async stop() {
        await loop.stop();
        await client.close();
      },
    };
  },
});
