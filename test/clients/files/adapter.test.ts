import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, realpathSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { filesPort } from '../../../src/clients/files/adapter.js';
import type { FilesPort } from '../../../src/clients/files/port.js';
import { createGuard } from '../../../src/engine/guard.js';
import { scopeFor } from '../lib/scope.js';

let root: string;
let inside: string;
let outside: string;
let files: FilesPort;

beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'muster-files-')));
  [inside, outside] = [join(root, 'inside'), join(root, 'outside')];
  mkdirSync(inside);
  mkdirSync(outside);
  const guard = createGuard({ hosts: [], directories: [inside], commands: [], forbidden: [], ownDirectories: [], protectedDirectories: [], runbookDir: join(root, 'runbooks'), ownPrograms: [], path: '', connections: () => [], endpoints: () => [] });
  files = filesPort(scopeFor(guard));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

test('writes, reads, replaces and removes, and leaves nothing beside', async () => {
  const path = join(inside, 'new', 'file');
  expect(await files.exists(path)).toBe(false);
  await files.write(path, 'one', { mode: 0o600 });
  expect(await files.read(path)).toBe('one');
  expect(statSync(path).mode & 0o777).toBe(0o600);
  await expect(files.write(path, 'two')).rejects.toMatchObject({ code: 'file-exists' });
  await files.write(path, 'two', { replace: true });
  expect(readFileSync(path, 'utf8')).toBe('two');
  expect(readdirSync(join(inside, 'new'))).toEqual(['file']);
  await files.remove(join(inside, 'new'));
  await files.remove(join(inside, 'new'));
  expect(readdirSync(inside)).toEqual([]);
  await expect(files.read(path)).rejects.toMatchObject({ code: 'file-not-found' });
  expect(await files.free(path)).toBeGreaterThan(0);
});

test('removes only what still has the inode that it was given', async () => {
  const path = join(inside, 'file');
  await files.write(path, 'ours');
  const inode = await files.inode(path);
  await files.write(path, 'theirs', { replace: true });
  await files.remove(path, inode === undefined ? {} : { inode });
  expect(readFileSync(path, 'utf8')).toBe('theirs');
});

describe('ways out', () => {
  beforeEach(() => {
    writeFileSync(join(outside, 'secret'), 'secret');
    symlinkSync(outside, join(inside, 'folder'));
    symlinkSync(join(outside, 'secret'), join(inside, 'link'));
    symlinkSync(join(outside, 'made'), join(inside, 'dangling'));
    symlinkSync(join(inside, 'dangling'), join(inside, 'twice'));
    symlinkSync('loop', join(inside, 'loop'));
  });

  test.each(['../outside/secret', 'folder/secret', 'link', 'dangling', 'twice', 'folder/deeper/../made', '../inside-too/file', 'loop', 'a\0b'])('%j is refused', async (name) => {
    const path = `${inside}/${name}`;
    await expect(files.read(path)).rejects.toThrow();
    await expect(files.write(path, 'pwned', { replace: true })).rejects.toThrow(/refused|loop|too many|ELOOP|absolute path/);
    expect(readdirSync(outside)).toEqual(['secret']);
    expect(readFileSync(join(outside, 'secret'), 'utf8')).toBe('secret');
    expect(existsSync(join(root, 'inside-too'))).toBe(false);
  });

  test('removing a symlink removes the link and not what it leads to', async () => {
    await files.remove(join(inside, 'folder'));
    expect(existsSync(join(inside, 'folder'))).toBe(false);
    expect(readdirSync(outside)).toEqual(['secret']);
    await expect(files.remove(join(inside, 'link', '..', '..', 'outside'))).rejects.toThrow('outside the boundary');
  });

  test('a relative path is refused', async () => {
    await expect(files.read('file')).rejects.toMatchObject({ code: 'path-invalid' });
  });
});
