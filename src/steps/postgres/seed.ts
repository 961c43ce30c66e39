import { Type } from 'typebox';
import { defineStep } from '../../engine/define-step.js';
import { StepError } from '../../engine/errors.js';
import { strict } from '../../engine/schema.js';
import { inWords, membersOf } from '../../engine/plannable.js';
import { Database, Server, Table } from './lib/inputs.js';
import { rights } from './lib/rights.js';
import { unlessGone } from './lib/own-rows.js';
import { fillOrders, finishOrders, makeTables, ourTables } from './lib/seed.js';
import { exists, one, withSession } from './lib/session.js';

export const step = defineStep({
  type: 'postgres.seed',
  summary: 'Makes the tables accounts, transfers and orders with constraints and rows, for drills on a stand-in. Refuses when one of them exists.',
  input: Type.Object(
    {
      server: Server('A disposable server'),
      table: Type.Optional(Table('Name of the table of orders; default orders.')),
      rows: Type.Optional(Type.Integer({ minimum: 0, description: 'Rows in it; default 100000' })),
      accounts: Type.Optional(Type.Integer({ minimum: 2, maximum: 10_000_000, description: 'Accounts; default 1000' })),
      database: Database,
    },
    strict,
  ),
  output: Type.Object({ rows: Type.Integer(), accounts: Type.Integer(), bytes: Type.Integer({ description: 'Size of the tables with their indexes' }) }, strict),
  effect: 'create',
  changes: (input) => {
    const { server, table } = membersOf(input);
    return [table === undefined ? 'orders' : inWords(table), 'accounts', 'transfers'].map((name) => ({ system: `postgres:${inWords(server)}`, object: `table ${name}` }));
  },
  permissions: (input) => rights(membersOf(input).server, [{ on: 'schema', name: 'public', privileges: ['USAGE', 'CREATE'] }], membersOf(input).database),
  evidence: [],
  examples: [{ title: 'A small shop', with: { server: 'source', table: 'orders', rows: 100000 } }],
  cleanups: {
    drop: {
      summary: 'Drops those of the tables that this run made',
      run: (data, _identity, ctx) =>
        unlessGone(ctx, () =>
          withSession(ctx, { connection: String(data['server']) }, { effect: 'destroy', label: 'cleanup', ...(typeof data['database'] === 'string' ? { database: data['database'] } : {}) }, async (session) => {
            for (const table of await ourTables(session, data['tables'] as string[], ctx.runId)) await session.query(`DROP TABLE ${session.identifier(table)} CASCADE`);
          }),
        ),
    },
  },
  plan(input) {
    const { server, table, rows } = membersOf(input);
    const orders = table === undefined ? 'orders' : inWords(table);
    return {
      does: `Makes accounts, transfers and ${orders} with ${rows === undefined ? '100000' : inWords(rows)} rows on ${inWords(server)}`,
      calls: [`CREATE TABLE accounts, transfers, ${orders}`, `INSERT INTO ${orders} SELECT ... FROM generate_series (in batches)`, `ALTER TABLE ${orders} ADD CONSTRAINT ..., CREATE INDEX`, 'ANALYZE'],
      undo: [`drop accounts, transfers and ${orders} if this run made them`],
    };
  },
  async run(input, ctx) {
    const orders = input.table ?? 'orders';
    const rows = input.rows ?? 100_000;
    const accounts = input.accounts ?? 1_000;
    const database = input.database === undefined ? {} : { database: input.database };
    const tables = [orders, 'transfers', 'accounts'];
    return withSession(ctx, { connection: input.server }, { effect: 'create', label: 'seed', ...database }, async (session) => {
      for (const table of tables) {
        if (await exists(session, table)) throw new StepError('table-exists', `${table} exists on ${input.server}, and this run did not make it`, { hint: 'seed only disposable servers; give another `table`, or drop what is there yourself' });
      }
      await ctx.defer({ uses: 'postgres.seed/drop', with: { server: input.server, tables, ...database } });
      await makeTables(session, orders, accounts, ctx.runId);
      await fillOrders(session, orders, rows, accounts, (done) => {
        ctx.signal.throwIfAborted();
        ctx.log(`${done} of ${rows} rows`);
      });
      await finishOrders(session, orders);
      for (const table of tables) await session.query(`ANALYZE ${session.identifier(table)}`);
      const size = await one<{ bytes: string }>(session, `SELECT sum(pg_total_relation_size(name::regclass))::text AS bytes FROM unnest($1::text[]) AS name`, [tables.map((table) => session.identifier(table))]);
      return { rows, accounts, bytes: Number(size.bytes) };
    });
  },
});
