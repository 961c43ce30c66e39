import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { appendFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { begin, judge, removeFolders, root, scratch, type Judged, type LiveDrill } from './harness.js';
import { finished } from './somebody.js';

afterAll(removeFolders);

interface Repository {
  readonly folder: string;
  readonly runbook: string;
  readonly git: (...args: string[]) => string;
  /** Runs the repository's runbook, with somebody `beside` who works in the same repository. */
  readonly drill: (beside?: (live: LiveDrill) => Promise<void>) => Promise<Judged>;
}

/** Holds the shipped runbook and an environment that demands committed ones and watches the folder infra/ too. */
async function repository({ untracked = [] }: { readonly untracked?: readonly string[] } = {}): Promise<Repository> {
  const folder = await scratch();
  const evidenceDir = join(folder, 'evidence');
  const [runbook, environment] = [join(folder, 'drills/pitr.yaml'), join(folder, 'drills/sandbox.yaml')];
  const git = (...args: string[]) => execFileSync('git', ['-c', 'user.name=sam', '-c', 'user.email=sam@example.net', ...args], { cwd: folder, encoding: 'utf8' });
  for (const name of ['drills', 'infra']) await mkdir(join(folder, name));
  await writeFile(runbook, await readFile(join(root, 'runbooks/pitr-restore.yaml'), 'utf8'));
  const shipped = await readFile(join(root, 'runbooks/environments/sandbox.yaml'), 'utf8');
  await writeFile(environment, shipped.replace('runbooks: any', 'runbooks: committed').replace('[postgres, directory], advisory: [git], ', '[postgres, directory, git], with: { git: { folders: [../infra] } }, '));
  expect(await readFile(environment, 'utf8')).toContain('../infra');
  await writeFile(join(folder, 'infra/dns.tf'), 'ttl = 60\n');
  await writeFile(join(folder, '.gitignore'), ['state/', 'evidence/', '*.stdout', '*.stderr', ...untracked, ''].join('\n'));
  git('init', '-q');
  git('add', '.');
  git('commit', '-qm', 'The drill');
  return {
    folder,
    runbook,
    git,
    async drill(beside) {
      const { live, ended } = begin(folder, ['run', runbook, '--env', environment, '--evidence-dir', evidenceDir, '--set', 'rows=2000', '--yes']);
      const [end] = await Promise.all([ended, beside?.(live)]);
      const runId = /\d{8}T\d{6}Z-pitr-restore-[0-9a-f]{6}/.exec(end.stderr + end.stdout)?.[0] ?? null;
      const bundle = join(evidenceDir, runId ?? '');
      return judge({ ...end, runId, folder, state: live.state, evidenceDir, bundle: runId !== null && existsSync(bundle) ? bundle : null });
    },
  };
}

test('a runbook edited and committed while the drill runs, and code of the infrastructure changed, fail it with their names', { timeout: 180_000 }, async () => {
  const { folder, runbook, git, drill } = await repository();
  const judged = await drill(async (live) => {
    await live.until(finished('content'));
    await appendFile(runbook, '# What we really did\n');
    git('commit', '-qam', 'Say what we really did');
    await writeFile(join(folder, 'infra/dns.tf'), 'ttl = 1\n');
    await writeFile(join(folder, 'infra/by-hand.tf'), 'x = 1\n');
  });
  expect(judged.drill.verdict).toBe('failed');
  expect(judged.codes).toEqual(['undocumented-change']);
  expect(judged.why('undocumented-change').split('\n').toSorted()).toEqual([
    expect.stringMatching(/^git: HEAD: moved during the drill by sam <sam@example\.net>$/),
    expect.stringMatching(/^git: file infra\/by-hand\.tf: untracked during the drill$/),
    expect.stringMatching(/^git: file infra\/dns\.tf: changed during the drill$/),
    expect.stringMatching(/^git: runbook pitr\.yaml: edited during the drill$/),
  ]);
});

test('a runbook that git does not have is unversioned where the environment demands committed ones', { timeout: 180_000 }, async () => {
  const { drill } = await repository({ untracked: ['drills/pitr.yaml'] });
  const judged = await drill();
  expect(judged.drill.verdict).toBe('failed');
  expect(judged.codes).toEqual(['unversioned-runbook']);
  expect(judged.why('unversioned-runbook')).toMatch(/^runbook pitr-restore: .*(track|committed)/);
});
