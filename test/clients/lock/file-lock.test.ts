import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { dropLocks, locksOf, silentMs, takeFileLock, type FileLock, type Holder } from '../../../src/clients/lock/file-lock.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'muster-locks-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const isLock = (taken: FileLock | Holder): taken is FileLock => 'release' in taken;
async function take(key: string, run: string): Promise<FileLock> {
  const taken = await takeFileLock(folder, key, run);
  if (!isLock(taken)) throw new Error(`held by ${taken.run}`);
  return taken;
}
/** Makes the present lock look like one of another process or machine. */
function alter(change: Partial<Holder>): string {
  const [name = ''] = readdirSync(folder);
  const path = join(folder, name);
  writeFileSync(path, JSON.stringify({ ...(JSON.parse(readFileSync(path, 'utf8')) as Holder), ...change }));
  return path;
}

it('is held by one, who is named to the next; another key is free', async () => {
  const lock = await take('postgres:a:5432', 'first');
  expect(await takeFileLock(folder, 'postgres:a:5432', 'second')).toMatchObject({ run: 'first', pid: process.pid, key: 'postgres:a:5432' });
  await (await take('postgres:b:5432', 'second')).release();
  await lock.release();
  await lock.release();
  await (await take('postgres:a:5432', 'second')).release();
  expect(readdirSync(folder)).toEqual([]);
});

it('is won by exactly one of many that find the same dead holder', async () => {
  const child = spawn('sleep', ['60']);
  await take('key', 'dead');
  alter({ pid: child.pid ?? 0, startTime: '1' });
  child.kill('SIGKILL');
  await once(child, 'exit');
  const taken = await Promise.all(Array.from({ length: 20 }, (_, index) => takeFileLock(folder, 'key', `run-${index}`)));
  const won = taken.filter(isLock);
  expect(won).toHaveLength(1);
  expect(won[0]?.tookOver?.run).toBe('dead');
  expect(new Set(taken.flatMap((one) => (isLock(one) ? [] : [one.run]))).size).toBe(1);
  expect(readdirSync(folder)).toHaveLength(1);
});

it('of a process whose pid another one bears now is nobody\'s', async () => {
  await take('key', 'dead');
  alter({ startTime: 'at another time' });
  expect((await take('key', 'next')).tookOver?.run).toBe('dead');
});

it('on another machine holds while its heart beats, and no longer', async () => {
  await take('key', 'afar');
  const path = alter({ host: 'another-machine', pid: 1 });
  expect(await takeFileLock(folder, 'key', 'here')).toMatchObject({ run: 'afar', host: 'another-machine' });
  const silent = new Date(Date.now() - silentMs - 1_000);
  utimesSync(path, silent, silent);
  expect((await take('key', 'here')).tookOver?.run).toBe('afar');
});

it('that a dead run left can be found and dropped by the run; one that is held cannot', async () => {
  await take('one', 'run-1');
  alter({ startTime: 'at another time' });
  const living = await take('two', 'run-1');
  expect((await locksOf(folder, 'run-1')).map(({ holder }) => holder.key).sort()).toEqual(['one', 'two']);
  await dropLocks(folder, 'run-1');
  expect((await locksOf(folder, 'run-1')).map(({ holder }) => holder.key)).toEqual(['two']);
  await living.release();
});
