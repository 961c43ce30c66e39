import { expect, it } from 'vitest';
import { atOnce } from '../../src/engine/at-once.js';

it('gives results in the order of the items, however they end, and never works on more at a time', async () => {
  let now = 0;
  let most = 0;
  const ends: (() => void)[] = [];
  const done = atOnce([1, 2, 3, 4, 5], 2, async (item) => {
    most = Math.max(most, (now += 1));
    await new Promise<void>((resolve) => ends.push(resolve));
    now -= 1;
    return item * 10;
  });
  for (let ended = 0; ended < 5; ended += 1) {
    while (ends.length === 0) await Promise.resolve();
    ends.pop()?.();
    await new Promise(setImmediate);
  }
  expect(await done).toEqual([10, 20, 30, 40, 50]);
  expect(most).toBe(2);
});

it('begins nothing after an error, and throws it when all that was under way has ended', async () => {
  const began: number[] = [];
  const ended: number[] = [];
  let finish: () => void = () => {};
  const slow = new Promise<void>((resolve) => (finish = resolve));
  const done = atOnce([1, 2, 3], 2, async (item) => {
    began.push(item);
    if (item === 1) throw new Error('the first');
    await slow;
    ended.push(item);
  });
  await new Promise(setImmediate);
  expect(ended).toEqual([]);
  finish();
  await expect(done).rejects.toThrow('the first');
  expect([began, ended]).toEqual([[1, 2], [2]]);
});
