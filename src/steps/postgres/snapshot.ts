import { Type } from 'typebox';
import { defineStep } from '../../engine/define-step.js';
import { parseDuration } from '../../engine/duration.js';
import { Duration, strict } from '../../engine/schema.js';
import { inWords, membersOf } from '../../engine/plannable.js';
import { Database, Digests, Server, Table } from './lib/inputs.js';
import { onCommonFunctions, onTables, rights } from './lib/rights.js';
import { takeSnapshot } from './lib/snapshot.js';

export const step = defineStep({
  type: 'postgres.snapshot',
  summary: 'Records what tables hold at one moment (counts and checksums) while clients go on writing; the moment is a restore target.',
  input: Type.Object(
    {
      server: Server('The server that is written to; not a standby'),
      tables: Type.Array(Table('A table to count and checksum.'), { minItems: 1 }),
      lockTimeout: Type.Optional(Duration('How long to try for a moment in which no transaction is writing to the tables; default 10s.')),
      database: Database,
    },
    strict,
  ),
  output: Type.Object(
    {
      time: Type.String({ description: 'UTC with microseconds: as an inclusive time target it restores exactly this state of the tables' }),
      lsn: Type.String({ description: 'Insert position of the WAL at that moment' }),
      xid: Type.String({ description: 'The next transaction id to be given out' }),
      timeline: Type.Integer({ description: 'The timeline the server writes' }),
      tables: Digests('Rows and checksum by table, as postgres.verify takes it'),
    },
    strict,
  ),
  effect: 'read',
  changes: () => [],
  permissions: (input) => {
    const { server, tables, database } = membersOf(input);
    return rights(server, [...onTables(tables, ['SELECT', 'LOCK']), ...onCommonFunctions('pg_walfile_name(pg_lsn)', 'pg_current_wal_insert_lsn()')], database);
  },
  evidence: ['reference'],
  examples: [{ title: 'What three tables hold now', with: { server: 'source', tables: ['orders', 'accounts', 'transfers'] } }],
  plan(input) {
    const { server, tables, lockTimeout } = membersOf(input);
    return {
      does: `Counts and checksums ${inWords(tables)} on ${inWords(server)} as of one moment; writers wait for a few milliseconds, at most ${lockTimeout === undefined ? '10s' : inWords(lockTimeout)} is spent on finding that moment`,
      calls: ['BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY', `LOCK TABLE ${inWords(tables)} IN SHARE MODE (released at once)`, 'SELECT count(*), sum(hash of row) of each table'],
    };
  },
  async run(input, ctx) {
    const taken = await takeSnapshot({ server: input.server, tables: input.tables, lockTimeoutMs: parseDuration(input.lockTimeout ?? '10s'), ...(input.database === undefined ? {} : { database: input.database }) }, ctx);
    const { time, lsn, timeline, tables } = taken;
    await ctx.evidence('reference', { connection: input.server, time, lsn, timeline, tables });
    return taken;
  },
});
