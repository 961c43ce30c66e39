import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { makeFolder } from '../../src/engine/make-folder.js';

let root = '';
beforeAll(() => (root = mkdtempSync(join(tmpdir(), 'muster-folder-'))));
afterAll(() => rmSync(root, { recursive: true }));

it('makes a folder and those above it, and says whether it was there', async () => {
  const path = join(root, 'a', 'b', 'c');
  expect(await makeFolder(path, 0o700)).toBe(true);
  expect(statSync(path).mode & 0o777).toBe(0o700);
  expect(await makeFolder(path, 0o700)).toBe(false);
});

it('takes no file for a folder', async () => {
  const file = join(root, 'file');
  writeFileSync(file, '');
  await expect(makeFolder(file, 0o700)).rejects.toThrow(/EEXIST/);
  await expect(makeFolder(join(file, 'below'), 0o700)).rejects.toThrow(/ENOTDIR/);
});

// Node's own recursive mkdir does not come back from there.
it.runIf(process.platform === 'linux')('gives up where nothing can be made', async () => {
  await expect(makeFolder('/proc/muster/evidence', 0o700)).rejects.toThrow(/ENOENT/);
});
