import { lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { copyTree, removeTree } from '../../../src/clients/trees/trees.js';

const owner = { uid: null, gid: null };
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'muster-trees-'));
  mkdirSync(join(folder, 'from', 'base'), { recursive: true });
  writeFileSync(join(folder, 'from', 'base', '1'), 'rows', { mode: 0o640 });
  writeFileSync(join(folder, 'from', 'base', 'pgsql_tmp7'), 'sorted');
  writeFileSync(join(folder, 'from', 'pid'), '7');
  symlinkSync('base/1', join(folder, 'from', 'link'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('copyTree', () => {
  it('copies modes and symlinks, leaves out what it was told to, and counts the bytes of files', async () => {
    const except = { skip: new Set(['pid']), skipNames: ['pgsql_tmp'], empty: new Set<string>() };
    const bytes = await copyTree(join(folder, 'from'), join(folder, 'to'), { owner, signal: AbortSignal.timeout(60_000), except });
    expect(bytes).toBe(4);
    expect(readdirSync(join(folder, 'to'), { recursive: true, encoding: 'utf8' }).toSorted()).toEqual(['base', 'base/1', 'link']);
    expect(lstatSync(join(folder, 'to', 'base', '1')).mode & 0o777).toBe(0o640);
    expect(readlinkSync(join(folder, 'to', 'link'))).toBe('base/1');
  });

  it('copies every file once where several threads share the work, into a folder that only we can enter', async () => {
    const names = Array.from({ length: 300 }, (_, n) => `f${n}`);
    for (const name of names) writeFileSync(join(folder, 'from', 'base', name), name);
    const bytes = await copyTree(join(folder, 'from'), join(folder, 'to'), { owner, signal: AbortSignal.timeout(60_000) });
    expect(bytes).toBe(11 + names.join('').length);
    for (const name of names) expect(readFileSync(join(folder, 'to', 'base', name), 'utf8')).toBe(name);
    expect(lstatSync(join(folder, 'to')).mode & 0o777).toBe(0o700);
  });

  it('keeps a folder without what is in it', async () => {
    await copyTree(join(folder, 'from'), join(folder, 'to'), { owner, signal: AbortSignal.timeout(60_000), except: { skip: new Set(), skipNames: [], empty: new Set(['base']) } });
    expect(readdirSync(join(folder, 'to', 'base'))).toEqual([]);
  });

  it('overwrites nothing and says why, with the code of the file system; the next copy is none the worse', async () => {
    mkdirSync(join(folder, 'to'));
    await expect(copyTree(join(folder, 'from'), join(folder, 'to'), { owner, signal: AbortSignal.timeout(60_000) })).rejects.toMatchObject({ code: 'EEXIST' });
    expect(await copyTree(join(folder, 'from'), join(folder, 'other'), { owner, signal: AbortSignal.timeout(60_000) })).toBe(11);
  });

  it('ends with its thread when it is aborted, and another goes on', async () => {
    for (let n = 0; n < 20_000; n += 1) writeFileSync(join(folder, 'from', 'base', `f${n}`), '');
    const stop = new AbortController();
    const aborted = copyTree(join(folder, 'from'), join(folder, 'to'), { owner, signal: stop.signal });
    const other = copyTree(join(folder, 'from', 'base'), join(folder, 'other'), { owner, signal: AbortSignal.timeout(60_000) });
    stop.abort(new Error('enough'));
    await expect(aborted).rejects.toThrow('enough');
    const copied = readdirSync(folder).includes('to') ? readdirSync(join(folder, 'to'), { recursive: true }).length : 0;
    expect(await other).toBe(10);
    expect(readdirSync(folder).includes('to') ? readdirSync(join(folder, 'to'), { recursive: true }).length : 0).toBe(copied);
    expect(readFileSync(join(folder, 'other', '1'), 'utf8')).toBe('rows');
  });
});

describe('removeTree', () => {
  it('removes a folder with what is in it, follows no symlink, and takes what is not there as done', async () => {
    mkdirSync(join(folder, 'gone'));
    symlinkSync(join(folder, 'from'), join(folder, 'gone', 'link'));
    await removeTree(join(folder, 'gone'));
    await removeTree(join(folder, 'gone'));
    expect(readdirSync(folder)).toEqual(['from']);
    expect(readFileSync(join(folder, 'from', 'pid'), 'utf8')).toBe('7');
  });

  it('removes a symlink alone, also when several threads are there to work', async () => {
    for (const to of ['one', 'two']) await copyTree(join(folder, 'from'), join(folder, to), { owner, signal: AbortSignal.timeout(60_000) });
    symlinkSync(join(folder, 'one'), join(folder, 'link'));
    await removeTree(join(folder, 'link'));
    await removeTree(join(folder, 'two'));
    expect(readdirSync(folder).toSorted()).toEqual(['from', 'one']);
    expect(readdirSync(join(folder, 'one'), { recursive: true }).length).toBe(5);
  });
});
