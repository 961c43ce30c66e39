import { join } from 'node:path';
import { Type } from 'typebox';
import type { ArchiveFile } from '../../clients/postgres/port.js';
import { defineProbe, type ProbeContext } from '../../engine/define-step.js';
import { parseDuration } from '../../engine/duration.js';
import { messageOf } from '../../engine/errors.js';
import { Duration, strict } from '../../engine/schema.js';
import { inWords, membersOf } from '../../engine/plannable.js';
import { compareListings, digestOfListing } from './lib/archive-listing.js';
import { Client } from './lib/client.js';
import { timelineOf } from './lib/facts.js';
import { Repository, Server } from './lib/inputs.js';
import { onCommonFunctions, rights } from './lib/rights.js';
import { every } from './lib/loop.js';
import { one } from './lib/session.js';
import { walFile } from './lib/wal-name.js';

interface ArchiverRow extends Record<string, unknown> {
  readonly last: string | null;
  readonly failed: number;
  readonly segmentSize: string;
}

/** The listing before the drill, for a process that takes the run over. */
const listingFile = 'before.json';

async function keptListing(ctx: ProbeContext): Promise<readonly ArchiveFile[]> {
  return JSON.parse(await ctx.ports.files.read(join(ctx.workDir, listingFile))) as readonly ArchiveFile[];
}

export const probe = defineProbe({
  type: 'postgres.archive',
  summary: 'Watches the WAL archive: what the source says it has archived, and the listing before and after the drill.',
  input: Type.Object({ server: Server('The source that archives'), repository: Repository('The archive'), every: Type.Optional(Duration('Interval; default 1s.')) }, strict),
  samples: 'archive',
  changes: () => [],
  permissions: (input) => rights(membersOf(input).server, onCommonFunctions('pg_walfile_name(pg_lsn)', 'pg_current_wal_insert_lsn()', 'pg_control_checkpoint()')),
  examples: [{ title: 'Beside a drill', with: { server: 'source', repository: 'backups', every: '1s' } }],
  plan(input) {
    const { server, repository, every: interval } = membersOf(input);
    return {
      does: `Lists the archive of ${inWords(repository)} before and after, and asks ${inWords(server)} every ${interval === undefined ? '1s' : inWords(interval)} what it has archived`,
      calls: [`list the archive of ${inWords(repository)}`, 'SELECT ... FROM pg_stat_archiver'],
    };
  },
  async start(input, ctx) {
    const everyMs = parseDuration(input.every ?? '1s');
    const timeout = Math.max(everyMs, 5_000);
    const repository = ctx.ports.postgres.repository(input.repository);
    const client = new Client(ctx.clock, () => ctx.ports.postgres.connect({ connection: input.server }, { effect: 'read', label: ctx.probe, connectTimeoutMs: timeout }));
    let sourceTimeline: number | null = null;
    let endLsn: string | null = null;
    let silent = false;
    const turn = async () => {
      try {
        await client.connect(timeout);
        const instant = ctx.clock.now();
        const row = await client.run(timeout, async (session) => {
          sourceTimeline = await timelineOf(session);
          return one<ArchiverRow>(session, `SELECT last_archived_wal AS last, failed_count::int AS failed, (SELECT setting FROM pg_settings WHERE name = 'wal_segment_size') AS "segmentSize" FROM pg_stat_archiver`);
        });
        // A history file that was archived last says nothing about segments: what was known stays true.
        endLsn = (row.last === null ? null : walFile(row.last, BigInt(row.segmentSize))?.endLsn) ?? endLsn;
        ctx.sample({ type: 'archive.sample', data: { probe: ctx.probe, store: input.server, instant, lastArchived: row.last, endLsn, failed: row.failed } });
        silent = false;
      } catch (error) {
        if (!silent) ctx.log(`no sample: ${messageOf(error)}`);
        silent = true;
      }
    };
    await turn();
    const before = ctx.earlier === null ? await repository.archive() : await keptListing(ctx);
    if (ctx.earlier === null) {
      await ctx.ports.files.write(join(ctx.workDir, listingFile), JSON.stringify(before));
      await ctx.evidence('archive', { repository: input.repository, when: 'before', sourceTimeline, files: before.length, digest: digestOfListing(before) });
    }
    const loop = every(ctx.clock, everyMs, ctx.signal, turn);
    return {
      async finish(end) {
        const after = await repository.archive();
        await end.evidence('archive', { repository: input.repository, when: 'after', sourceTimeline, files: after.length, digest: digestOfListing(after), ...compareListings(before, after) });
      },
      async stop() {
        await loop.stop();
        await client.close();
      },
    };
  },
});
