import { Type } from 'typebox';
import { defineProbe, type ProbeContext } from '../../engine/define-step.js';
import { parseDuration } from '../../engine/duration.js';
import { Duration, strict } from '../../engine/schema.js';
import { inWords, membersOf } from '../../engine/plannable.js';
import { Client } from './lib/client.js';
import { identityOf } from './lib/facts.js';
import { Endpoint } from './lib/inputs.js';
import { onCommonFunctions, onOwnTable, rights } from './lib/rights.js';
import { ledgerRanges, ledgerTable, prepareLedger } from './lib/ledger.js';
import { every } from './lib/loop.js';
import { probeRows, removeProbeRows } from './lib/own-rows.js';
import { withSession } from './lib/session.js';
import { describe } from './lib/sql-errors.js';

/** Far more than any process can have sent within the time in which samples wait for the disk. */
const numbersLeftOut = 1_000_000;

export const probe = defineProbe({
  type: 'postgres.ledger',
  summary: 'Writes numbered rows one after the other through an endpoint and notes each acknowledgement: what is acknowledged and not recovered is lost.',
  input: Type.Object(
    {
      endpoint: Endpoint(),
      every: Type.Optional(Duration('Interval; default 200ms.')),
      timeout: Type.Optional(Duration('How long to wait for a connection or an acknowledgement; default: the interval, at least 1s.')),
    },
    strict,
  ),
  samples: 'ledger',
  changes: (input) => [{ system: `endpoint:${inWords(membersOf(input).endpoint)}`, object: `table ${ledgerTable}` }],
  permissions: (input) => rights(membersOf(input).endpoint, [...onOwnTable(ledgerTable, ['SELECT', 'INSERT', 'DELETE']), ...onCommonFunctions('pg_control_system()', 'pg_walfile_name(pg_lsn)')]),
  examples: [{ title: 'Five rows a second', with: { endpoint: 'app', every: '200ms' } }],
  cleanups: { remove: { summary: "Deletes the run's rows from the servers that the endpoint led to, and the table when nothing else is in it", run: (data, _identity, ctx) => removeProbeRows(ctx, data, ledgerTable, 'run') } },
  plan(input) {
    const { endpoint, every: interval } = membersOf(input);
    return {
      does: `Writes a numbered row every ${interval === undefined ? '200ms' : inWords(interval)} through endpoint ${inWords(endpoint)}, never two at the same time, and in the end reads back which rows are there`,
      calls: [`CREATE TABLE ${ledgerTable} (if absent)`, `INSERT INTO ${ledgerTable} (n, run)`, `SELECT ranges of n FROM ${ledgerTable}`],
    };
  },
  async start(input, ctx) {
    const everyMs = parseDuration(input.every ?? '200ms');
    const timeout = input.timeout === undefined ? Math.max(everyMs, 1_000) : parseDuration(input.timeout);
    const run = `${ctx.runId}/${ctx.probe}`;
    const address = { endpoint: input.endpoint };
    await ctx.defer({ uses: 'postgres.ledger/remove', with: probeRows(ctx, input.endpoint, run) });
    const client = new Client(ctx.clock, () => ctx.ports.postgres.connect(address, { effect: 'modify', label: ctx.probe, connectTimeoutMs: timeout }), prepareLedger);
    // More rows may have been sent than the journal of a process that died holds: their numbers are not used again.
    let last = ctx.earlier === null ? 0 : ctx.earlier.lastRow + numbersLeftOut;
    let complaint = '';
    const loop = every(ctx.clock, everyMs, ctx.signal, async () => {
      try {
        await client.connect(timeout);
      } catch (error) {
        // Nothing was sent, so no number is used up.
        if (complaint !== describe(error)) ctx.log(`not connected: ${(complaint = describe(error))}`);
        return;
      }
      const n = (last += 1);
      const sent = ctx.clock.now();
      const row = { probe: ctx.probe, store: input.endpoint, n, sent };
      try {
        const acked = await client.run(timeout, async (session) => {
          await session.query(`INSERT INTO ${ledgerTable} (n, run) VALUES ($1, $2)`, [n, run]);
          return ctx.clock.now();
        });
        ctx.sample({ type: 'ledger.row', data: { ...row, acked } });
        complaint = '';
      } catch (error) {
        ctx.sample({ type: 'ledger.row', data: { ...row, acked: null, error: describe(error) } });
        // The table may have gone with a restore: a new connection makes it again.
        client.drop();
      }
    });
    return {
      async finish(end: ProbeContext) {
        // From here on the set of rows stands still.
        await loop.stop();
        await withSession(end, address, { effect: 'read', label: `${ctx.probe}-recovered`, connectTimeoutMs: 10_000 }, async (session) => {
          const ranges = await ledgerRanges(session, run);
          end.sample({ type: 'ledger.recovered', data: { probe: ctx.probe, store: input.endpoint, ranges, ...(await identityOf(session)) } });
        });
      },
      async stop() {
        await loop.stop();
        await client.close();
        ctx.log(`rows sent up to number ${last}`);
      },
    };
  },
});
