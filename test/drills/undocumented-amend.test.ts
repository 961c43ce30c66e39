import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { judge, muster, removeFolders, root, scratch, type Drilled, type LiveDrill } from './harness.js';
import { begin, finished, somebody } from './somebody.js';

afterAll(removeFolders);

test('what was done by hand is amended, committed, and the repeated drill passes and names the one that it closes', { timeout: 180_000 }, async () => {
  const folder = await scratch();
  const evidenceDir = join(folder, 'evidence');
  const git = (...args: string[]) => execFileSync('git', ['-c', 'user.name=sam', '-c', 'user.email=sam@example.net', ...args], { cwd: folder, encoding: 'utf8' });
  await mkdir(join(folder, 'drills'));
  const runbook = join(folder, 'drills/pitr.yaml');
  await writeFile(runbook, await readFile(join(root, 'runbooks/pitr-restore.yaml'), 'utf8'));
  const environment = join(folder, 'drills/sandbox.yaml');
  await writeFile(environment, (await readFile(join(root, 'runbooks/environments/sandbox.yaml'), 'utf8')).replace('runbooks: any', 'runbooks: committed').replace('advisory: [git], ', '').replace('[postgres, directory]', '[postgres, directory, git]'));
  await writeFile(join(folder, '.gitignore'), 'state/\nevidence/\n*.stdout\n*.stderr\n');
  git('init', '-q');
  git('add', '.');
  git('commit', '-qm', 'The drill');

  const run = async (args: readonly string[], beside?: (live: Pick<LiveDrill, 'state' | 'until'>) => Promise<void>): Promise<Drilled> => {
    const { live, ended } = begin(folder, ['run', runbook, '--env', environment, '--evidence-dir', evidenceDir, '--set', 'rows=2000', '--yes', ...args]);
    const [end] = await Promise.all([ended, beside?.(live)]);
    const runId = /\d{8}T\d{6}Z-pitr-restore-[0-9a-f]{6}/.exec(end.stderr)?.[0] ?? null;
    const bundle = join(evidenceDir, runId ?? '');
    return { ...end, runId, folder, state: live.state, evidenceDir, bundle: existsSync(bundle) ? bundle : null };
  };

  const first = await judge(
    await run([], async (live) => {
      const { psql } = await somebody(live);
      await live.until(finished('content'));
      await psql("ALTER SYSTEM SET work_mem = '8MB'");
      await psql('SELECT pg_reload_conf()');
    }),
  );
  expect(first.codes).toEqual(['undocumented-change']);

  const amended = await muster(folder, ['amend', first.bundle]);
  expect(amended.code, amended.stderr).toBe(0);
  await writeFile(join(folder, 'amend.diff'), amended.stdout);
  git('apply', '--check', 'amend.diff');
  git('apply', 'amend.diff');
  const text = await readFile(runbook, 'utf8');
  expect(text).toContain('version: 1.1.0');
  expect(text).toContain("sql: ALTER SYSTEM SET work_mem = '8MB'");
  // Comments and form of the rest are as they were: what was there is still there, in order.
  expect(git('diff', '--numstat').trim()).toMatch(/^\d+\t1\tdrills\/pitr\.yaml$/);

  const uncommitted = await judge(await run(['--closes', first.bundle]));
  expect(uncommitted.codes).toEqual(['unversioned-runbook']);

  git('commit', '-qam', 'Say what was done by hand');
  const second = await judge(await run(['--closes', first.bundle]));
  expect(second.drill.reasons).toEqual([]);
  expect(second.drill.verdict).toBe('passed');
  expect(second.of('run.started')[0]?.data.closes?.run).toBe(first.runId);
  expect(second.drill.runbook.version).toBe('1.1.0');

  const closed = await run(['--closes', second.bundle]);
  expect(closed.code).toBe(3);
  expect(closed.stderr).toContain('there is nothing to close');
});
