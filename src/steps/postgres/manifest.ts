import { Type } from 'typebox';
import { defineStep } from '../../engine/define-step.js';
import { parseDuration } from '../../engine/duration.js';
import { Duration, strict } from '../../engine/schema.js';
import { inWords, membersOf } from '../../engine/plannable.js';
import { Database, Server, Table } from './lib/inputs.js';
import { onCommonFunctions, onTables, rights } from './lib/rights.js';
import { takeSnapshot } from './lib/snapshot.js';

export const step = defineStep({
  type: 'postgres.manifest',
  summary: 'Writes the counts and checksums of tables to a JSON file, for a later postgres.verify with `reference: manifest`.',
  input: Type.Object(
    {
      server: Server('The server that is written to; not a standby'),
      tables: Type.Array(Table('A table to count and checksum.'), { minItems: 1 }),
      file: Type.String({ minLength: 1, description: 'Where the manifest goes; must lie inside the boundary' }),
      replace: Type.Optional(Type.Boolean({ description: 'Replace an existing file', default: false })),
      lockTimeout: Type.Optional(Duration('As in postgres.snapshot; default 10s.')),
      database: Database,
    },
    strict,
  ),
  output: Type.Object({ file: Type.String(), time: Type.String(), lsn: Type.String(), timeline: Type.Integer() }, strict),
  effect: 'create',
  changes: (input) => [{ system: `directory:${inWords(membersOf(input).file)}`, object: 'manifest' }],
  permissions: (input) => {
    const { server, tables, file, database } = membersOf(input);
    return [...rights(server, [...onTables(tables, ['SELECT', 'LOCK']), ...onCommonFunctions('pg_walfile_name(pg_lsn)', 'pg_current_wal_insert_lsn()')], database), { system: 'path', path: inWords(file), access: 'write' }];
  },
  evidence: [],
  examples: [{ title: 'Beside a nightly backup', with: { server: 'source', tables: ['orders'], file: '/var/lib/muster/manifests/nightly.json' } }],
  plan(input) {
    const { server, tables, file } = membersOf(input);
    return { does: `Counts and checksums ${inWords(tables)} on ${inWords(server)} as of one moment and writes them to ${inWords(file)}`, calls: [`LOCK TABLE ${inWords(tables)} IN SHARE MODE (released at once)`, 'SELECT count(*), sum(hash of row) of each table', `write ${inWords(file)}`] };
  },
  async run(input, ctx) {
    const { xid: _, ...taken } = await takeSnapshot({ server: input.server, tables: input.tables, lockTimeoutMs: parseDuration(input.lockTimeout ?? '10s'), ...(input.database === undefined ? {} : { database: input.database }) }, ctx);
    await ctx.ports.files.write(input.file, `${JSON.stringify({ schema: 'muster/manifest/v1', ...taken }, null, 2)}\n`, { replace: input.replace ?? false });
    return { file: input.file, time: taken.time, lsn: taken.lsn, timeline: taken.timeline };
  },
});
