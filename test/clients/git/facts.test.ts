import { execFileSync } from 'node:child_process';
import { chownSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { gitFacts } from '../../../src/clients/git/facts.js';

let dir: string;
let file: string;

function git(...args: string[]): string {
  return execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@example.net', ...args], { cwd: dir, encoding: 'utf8', env: { PATH: process.env['PATH'] ?? '', HOME: dir, GIT_CONFIG_NOSYSTEM: '1' } }).trim();
}

beforeEach(() => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), 'muster-git-')));
  mkdirSync(join(dir, 'runbooks'));
  file = join(dir, 'runbooks', 'a b.yaml');
  writeFileSync(file, 'one\n');
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function commit(): string {
  git('init', '-q');
  git('add', '.');
  git('commit', '-qm', 'one');
  return git('rev-parse', 'HEAD');
}

test('a file in no repository has no facts', async () => {
  expect(await gitFacts(file)).toBeNull();
});

test('a committed file is clean, also through a symlink and with GIT_DIR set elsewhere', async () => {
  const facts = { commit: commit(), path: 'runbooks/a b.yaml', tracked: true, clean: true };
  expect(await gitFacts(file)).toEqual(facts);
  symlinkSync(file, join(dir, 'link.yaml'));
  expect(await gitFacts(join(dir, 'link.yaml'))).toEqual(facts);
  process.env['GIT_DIR'] = '/nowhere';
  try {
    expect(await gitFacts(file)).toEqual(facts);
  } finally {
    delete process.env['GIT_DIR'];
  }
});

test('a repository with SHA-256 ids is read as well', async () => {
  git('init', '-q', '--object-format=sha256');
  git('add', '.');
  git('commit', '-qm', 'one');
  expect(await gitFacts(file)).toEqual({ commit: git('rev-parse', 'HEAD'), path: 'runbooks/a b.yaml', tracked: true, clean: true });
  writeFileSync(file, 'two\n');
  expect(await gitFacts(file)).toMatchObject({ clean: false });
});

test('a changed, a staged and an untracked file are not clean', async () => {
  const head = commit();
  writeFileSync(file, 'two\n');
  expect(await gitFacts(file)).toEqual({ commit: head, path: 'runbooks/a b.yaml', tracked: true, clean: false });
  git('add', '.');
  expect(await gitFacts(file)).toMatchObject({ tracked: true, clean: false });
  writeFileSync(join(dir, 'new.yaml'), 'new');
  expect(await gitFacts(join(dir, 'new.yaml'))).toEqual({ commit: head, path: 'new.yaml', tracked: false, clean: false });
});

test('a change that git was told to overlook is seen', async () => {
  commit();
  git('update-index', '--assume-unchanged', 'runbooks/a b.yaml');
  writeFileSync(file, 'two\n');
  expect(await gitFacts(file)).toMatchObject({ tracked: true, clean: false });
});

test('a filter of the repository cannot make a changed file look clean, and is not run', async () => {
  commit();
  writeFileSync(join(dir, '.gitattributes'), '*.yaml filter=lie\n');
  git('config', 'filter.lie.clean', `touch "${join(dir, 'ran')}"; echo one`);
  writeFileSync(file, 'two\n');
  expect(await gitFacts(file)).toMatchObject({ clean: false });
  expect(() => realpathSync(join(dir, 'ran'))).toThrow('ENOENT');
});

test('a repository without a commit has tracked files at most', async () => {
  git('init', '-q');
  expect(await gitFacts(file)).toEqual({ commit: null, path: 'runbooks/a b.yaml', tracked: false, clean: false });
});

test.runIf(process.getuid?.() === 0)('a repository of somebody else is an error and not clean', async () => {
  commit();
  chownSync(join(dir, '.git'), 65534, 65534);
  chownSync(dir, 65534, 65534);
  await expect(gitFacts(file)).rejects.toThrow('dubious ownership');
});

test('a broken repository is an error and not clean', async () => {
  commit();
  writeFileSync(join(dir, '.git', 'HEAD'), 'nonsense');
  await expect(gitFacts(file)).rejects.toThrow('may be broken');
});
