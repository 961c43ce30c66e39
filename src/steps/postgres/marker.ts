import { randomUUID } from 'node:crypto';
import { Type } from 'typebox';
import { defineStep } from '../../engine/define-step.js';
import { strict } from '../../engine/schema.js';
import { inWords, membersOf } from '../../engine/plannable.js';
import { utc } from './lib/facts.js';
import { Database, Server } from './lib/inputs.js';
import { onOwnTable, rights } from './lib/rights.js';
import { exists, one, withSession } from './lib/session.js';
import { markerTable } from './lib/marker.js';
import { removeOwnRows } from './lib/own-rows.js';

export const step = defineStep({
  type: 'postgres.marker',
  summary: 'Inserts one row into the table muster_marker, to be looked for after a restore.',
  input: Type.Object({ server: Server('Where the row goes'), database: Database }, strict),
  output: Type.Object(
    {
      id: Type.String({ description: 'For `present` or `absent` of postgres.verify' }),
      at: Type.String({ description: "The server's time when the row was written, UTC" }),
      lsn: Type.String({ description: 'A WAL position at or behind its commit' }),
      xid: Type.String({ description: 'The transaction that wrote it' }),
    },
    strict,
  ),
  effect: 'modify',
  changes: (input) => [{ system: `postgres:${inWords(membersOf(input).server)}`, object: `table ${markerTable}` }],
  permissions: (input) => rights(membersOf(input).server, onOwnTable(markerTable, ['SELECT', 'INSERT', 'DELETE']), membersOf(input).database),
  evidence: [],
  examples: [{ title: 'A row that must survive', with: { server: 'source' } }],
  cleanups: { remove: { summary: 'Deletes the row, and the table when nothing else is in it', run: ({ server, id, database }, _identity, ctx) => removeOwnRows(ctx, { connection: String(server) }, { table: markerTable, column: 'id', key: String(id), ...(typeof database === 'string' ? { database } : {}) }) } },
  repeatable: true,
  plan(input) {
    const { server } = membersOf(input);
    return {
      does: `Inserts a row with a random id into ${markerTable} on ${inWords(server)}, making the table if it does not exist`,
      calls: [`CREATE TABLE ${markerTable} (if absent)`, `INSERT INTO ${markerTable} (id, run, step)`],
      undo: [`delete the row from ${markerTable}; drop the table if it is empty then`],
    };
  },
  async run(input, ctx) {
    const id = randomUUID();
    const database = input.database === undefined ? {} : { database: input.database };
    await ctx.defer({ uses: 'postgres.marker/remove', with: { server: input.server, id, ...database } });
    return withSession(ctx, { connection: input.server }, { effect: 'modify', label: 'marker', ...database }, async (session) => {
      if (!(await exists(session, markerTable))) await session.query(`CREATE TABLE IF NOT EXISTS ${markerTable} (id text PRIMARY KEY, run text NOT NULL, step text NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp())`);
      const row = await one<{ at: string; xid: string }>(session, `INSERT INTO ${markerTable} (id, run, step) VALUES ($1, $2, $3) RETURNING ${utc('at')} AS at, pg_current_xact_id()::text AS xid`, [id, ctx.runId, ctx.stepId]);
      const { lsn } = await one<{ lsn: string }>(session, 'SELECT pg_current_wal_insert_lsn()::text AS lsn');
      return { id, at: row.at, lsn, xid: row.xid };
    });
  },
});
