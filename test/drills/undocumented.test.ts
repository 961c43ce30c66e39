import { execFile } from 'node:child_process';
import { appendFile, copyFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, expect, test } from 'vitest';
import type { BackupsDetails, LocalDetails } from '../../src/clients/postgres/details.js';
import { drill, removeFolders } from './harness.js';
import { finished, somebody, type Somebody } from './somebody.js';

afterAll(removeFolders);

interface Case {
  readonly what: string;
  readonly does: (somebody: Somebody) => Promise<unknown>;
  /** Lines of the reason undocumented-change, in any order. */
  readonly found: readonly RegExp[];
}

const conf = (local: LocalDetails) => join(local.dataDir, 'postgresql.auto.conf');
const wal = ({ path }: BackupsDetails) => join(path, 'wal');

const cases: readonly Case[] = [
  { what: 'a row inserted on the restored copy', does: ({ psql }) => psql("INSERT INTO accounts SELECT * FROM accounts WHERE false"), found: [/^postgres: copy: table accounts: INSERT by psql \(user postgres\)$/] },
  { what: 'a table changed on the restored copy', does: ({ psql }) => psql('CREATE INDEX by_hand ON orders (id)'), found: [/^postgres: copy: index by_hand: CREATE INDEX by psql \(user postgres\)$/] },
  {
    what: 'ALTER SYSTEM on the restored server',
    does: async ({ psql }) => {
      await psql("ALTER SYSTEM SET work_mem = '8MB'");
      await psql('SELECT pg_reload_conf()');
    },
    found: [
      /^postgres: copy: setting work_mem: ALTER SYSTEM by psql \(user postgres\)$/,
      /^postgres: copy: server: SELECT pg_reload_conf\(\) by psql \(user postgres\)$/,
      /^postgres: copy: configuration: reloaded$/,
      /^postgres: copy: setting work_mem: (configuration file|setting) changed$/,
      /^directory: copy: setting work_mem: postgresql\.auto\.conf edited$/,
    ],
  },
  { what: 'postgresql.auto.conf edited by hand', does: ({ copy }) => appendFile(conf(copy.local), "log_checkpoints = 'off'\n"), found: [/^directory: copy: setting log_checkpoints: postgresql\.auto\.conf edited$/] },
  {
    what: 'files put into the archive',
    does: async ({ backups }) => {
      await writeFile(join(wal(backups), 'restored-from-tape'), 'WAL?');
      const last = (await readdir(wal(backups))).filter((name) => /^[0-9A-F]{24}$/.test(name)).toSorted().at(-1) ?? '';
      await copyFile(join(wal(backups), last), join(wal(backups), `${last.slice(0, 20)}00F0`));
    },
    found: [/^directory: backups: file wal\/restored-from-tape: file added/, /^directory: backups: file wal\/[0-9A-F]{20}00F0: file added whose content is other WAL than its name says/],
  },
  {
    what: 'a restart of the restored copy',
    does: async ({ copy: { local } }) => {
      const owner = local.uid === null ? {} : { uid: local.uid, gid: local.gid ?? local.uid };
      await promisify(execFile)(join(local.binDir, 'pg_ctl'), ['restart', '-D', local.dataDir, '-m', 'fast', '-w', '-l', '/dev/null'], { cwd: local.dataDir, env: { PATH: process.env['PATH'], MUSTER_RUN: '' }, ...owner });
    },
    found: [/^postgres: copy: server: shut down \(fast\)$/, /^postgres: copy: server: restarted$/],
  },
];

test.each(cases)('$what fails the drill, and nobody told Muster', { timeout: 120_000 }, async ({ does, found }) => {
  const judged = await drill({
    watched: true,
    beside: async (live) => {
      const who = await somebody(live);
      const restored = await live.until(finished('restore'));
      await live.until(finished('content'));
      // What a server says within half a second of a step that may do anything to it is taken for that step's.
      await live.until((event) => event.type === 'probe.sample' && Date.parse(event.at) > Date.parse(restored.at) + 700);
      await does(who);
    },
  });
  expect(judged.drill.verdict).toBe('failed');
  expect(judged.codes).toContain('undocumented-change');
  const lines = judged.why('undocumented-change').split('\n');
  for (const pattern of found) expect(lines).toContainEqual(expect.stringMatching(pattern));
  // All of it is theirs: nothing of the drill's own is taken for somebody else's.
  for (const line of lines) expect(found.some((pattern) => pattern.test(line)), line).toBe(true);
  expect(judged.of('watch.gap')).toEqual([]);
});

test('the same drill without anybody passes, and what watched has looked', { timeout: 120_000 }, async () => {
  const judged = await drill({ watched: true });
  expect(judged.drill.reasons).toEqual([]);
  expect(judged.of('watch.ended').map(({ data }) => data.watcher).toSorted()).toEqual(['directory', 'git', 'postgres']);
  for (const { data } of judged.of('watch.ended')) expect(data.checks).toBeGreaterThan(0);
  expect(judged.of('watch.observed').filter(({ data }) => !data.ours)).toEqual([]);
});
