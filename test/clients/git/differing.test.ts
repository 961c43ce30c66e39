import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { gitPort } from '../../../src/clients/git/adapter.js';

let folder: string;
const git = (...args: string[]) => execFileSync('git', ['-c', 'user.name=sam', '-c', 'user.email=sam@example.net', ...args], { cwd: folder, encoding: 'utf8' }).trim();

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'muster-test-'));
  await mkdir(join(folder, 'infra'));
  for (const name of ['infra/a.tf', 'infra/b.tf', 'elsewhere']) await writeFile(join(folder, name), name);
  git('init', '-q');
  git('add', '.');
  git('commit', '-qm', 'first');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test('what differs from HEAD below a folder is changed, missing or untracked; staging it makes no difference', async () => {
  expect(await gitPort.differing(join(folder, 'infra'))).toEqual([]);
  await writeFile(join(folder, 'infra/a.tf'), 'edited');
  await rm(join(folder, 'infra/b.tf'));
  await writeFile(join(folder, 'infra/c.tf'), 'new');
  await writeFile(join(folder, 'elsewhere'), 'edited');
  git('add', 'infra/a.tf', 'infra/c.tf');
  expect(await gitPort.differing(join(folder, 'infra'))).toEqual([
    { path: 'infra/a.tf', how: 'changed' },
    { path: 'infra/b.tf', how: 'missing' },
    { path: 'infra/c.tf', how: 'untracked' },
  ]);
});

test('HEAD is a commit and its author; none outside a repository', async () => {
  expect(await gitPort.head(folder)).toEqual({ commit: git('rev-parse', 'HEAD'), author: 'sam <sam@example.net>' });
  const outside = await mkdtemp(join(tmpdir(), 'muster-test-'));
  try {
    expect(await gitPort.head(outside)).toBeNull();
    await expect(gitPort.differing(outside)).rejects.toThrow('no git repository');
  } finally {
    await rm(outside, { recursive: true });
  }
});
