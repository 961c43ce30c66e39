import { Type } from 'typebox';
import { defineProbe } from '../../engine/define-step.js';
import { parseDuration } from '../../engine/duration.js';
import { Duration, strict } from '../../engine/schema.js';
import { inWords, membersOf } from '../../engine/plannable.js';
import { Client } from './lib/client.js';
import { Endpoint, Table } from './lib/inputs.js';
import { onTables, rights } from './lib/rights.js';
import { every } from './lib/loop.js';
import { describe } from './lib/sql-errors.js';
import { transfer } from './lib/transfer.js';

export const probe = defineProbe({
  type: 'postgres.load',
  summary: 'A workload: transfers between accounts through an endpoint, as made by postgres.seed. It goes on through outages and cutover.',
  input: Type.Object(
    {
      endpoint: Endpoint(),
      table: Type.Optional(Table('The table of orders; default orders. While it does not exist, transfers go on without orders.')),
      every: Type.Optional(Duration('Interval; default 20ms.')),
      timeout: Type.Optional(Duration('How long one transfer may take; default 2s.')),
    },
    strict,
  ),
  samples: 'none',
  changes: (input) => {
    const { endpoint, table } = membersOf(input);
    return ['accounts', 'transfers', table === undefined ? 'orders' : inWords(table)].map((name) => ({ system: `endpoint:${inWords(endpoint)}`, object: `table ${name}` }));
  },
  permissions: (input) => {
    const { endpoint, table } = membersOf(input);
    return rights(endpoint, [...onTables('accounts', ['SELECT', 'UPDATE']), ...onTables('transfers', ['INSERT']), ...onTables(table ?? 'orders', ['INSERT'])]);
  },
  examples: [{ title: 'Fifty transfers a second', with: { endpoint: 'app', table: 'orders', every: '20ms' } }],
  plan(input) {
    const { endpoint, table, every: interval } = membersOf(input);
    return {
      does: `Moves an amount between two accounts every ${interval === undefined ? '20ms' : inWords(interval)} through endpoint ${inWords(endpoint)}`,
      calls: ['BEGIN', `INSERT INTO ${table === undefined ? 'orders' : inWords(table)} (if it exists)`, 'UPDATE accounts (twice)', 'INSERT INTO transfers', 'COMMIT'],
    };
  },
  async start(input, ctx) {
    const timeout = parseDuration(input.timeout ?? '2s');
    const table = input.table ?? 'orders';
    const client = new Client(ctx.clock, () => ctx.ports.postgres.connect({ endpoint: input.endpoint }, { effect: 'modify', label: ctx.probe, connectTimeoutMs: timeout }));
    const counts = { committed: 0, orders: 0, refused: 0, failed: 0 };
    let complaint = '';
    const loop = every(ctx.clock, parseDuration(input.every ?? '20ms'), ctx.signal, async () => {
      try {
        const result = await client.run(timeout, (session) => transfer(session, table));
        if (result.moved) counts.committed += 1;
        else counts.refused += 1;
        if (result.ordered) counts.orders += 1;
        complaint = '';
      } catch (error) {
        counts.failed += 1;
        client.drop();
        const said = describe(error);
        if (said !== complaint) ctx.log((complaint = said));
        // A client that is refused at once waits a little before it knocks again.
        await ctx.clock.sleep(50, ctx.signal).catch(() => undefined);
      }
    });
    return {
      async stop() {
        await loop.stop();
        await client.close();
        ctx.log(`transfers: ${counts.committed} committed, ${counts.orders} orders, ${counts.refused} refused for lack of funds, ${counts.failed} failed`);
      },
    };
  },
});
