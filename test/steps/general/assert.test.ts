import { expect, test } from 'vitest';
import { step } from '../../../src/steps/general/assert.js';
import { contextFor, toldOf } from '../lib/context.js';

test.each([
  { actual: 3, equals: 3 },
  { actual: { b: [1], a: null }, equals: { a: null, b: [1] } },
  { actual: null, equals: null },
  { actual: '12345678901', atLeast: 12_345_678_901, atMost: 12_345_678_901 },
  { actual: 'release-42', matches: '^release-\\d+$' },
  { actual: '2026-03-01T10:00:00.000001Z', after: '2026-03-01T10:00:00Z', before: '2026-03-01T10:00:00.000002Z' },
  { actual: '2026-03-01 11:00:00+01', before: '2026-03-01T10:00:00.5Z', after: '2026-03-01T09:59:59Z' },
])('holds: %j', async (condition) => {
  expect(await step.run({ that: [{ name: 'it', ...condition }] }, contextFor())).toEqual({ held: 1 });
});

test.each([
  [{ actual: 3, equals: '3' }, 'it: expected "3", found 3'],
  [{ actual: null, equals: 0 }, 'it: expected 0, found null'],
  [{ actual: 3, atLeast: 4 }, 'it: expected at least 4, found 3'],
  [{ actual: 3, atMost: 2 }, 'it: expected at most 2, found 3'],
  [{ actual: 'many', atLeast: 4 }, 'it: expected a number, found "many"'],
  [{ actual: '', atLeast: 0 }, 'it: expected a number, found ""'],
  [{ actual: 'v1', matches: '^v2' }, 'it: expected text that matches ^v2, found "v1"'],
  [{ actual: 'v1', matches: '(' }, 'it: "(" is no regular expression'],
  [{ actual: '2026-03-01T10:00:00Z', before: '2026-03-01T10:00:00Z' }, 'it: expected a time before 2026-03-01T10:00:00Z, found "2026-03-01T10:00:00Z"'],
  [{ actual: '2026-03-01T10:00:00', after: '2026-03-01T09:00:00Z' }, 'both must be times'],
  [{ actual: 1 }, 'it: nothing to compare with'],
])('does not hold: %j', async (condition, message) => {
  await expect(step.run({ that: [{ name: 'it', ...condition }] }, contextFor())).rejects.toThrow(message);
});

test('every failure is told, and each check is evidence where that is wanted', async () => {
  const context = contextFor();
  const that = [{ name: 'one', actual: 1, equals: 2 }, { name: 'two', actual: 2, equals: 2 }, { name: 'three', actual: 3, atLeast: 4, atMost: 2 }];
  await expect(step.run({ that, health: true }, context)).rejects.toMatchObject({ code: 'assertion-failed', message: 'one: expected 2, found 1\nthree: expected at least 4, found 3; expected at most 2, found 3' });
  expect(toldOf(context, 'evidence health-checks')).toEqual([
    { checks: [{ name: 'one', ok: false, detail: 'expected 2, found 1' }, { name: 'two', ok: true, detail: 'holds' }, { name: 'three', ok: false, detail: 'expected at least 4, found 3; expected at most 2, found 3' }] },
  ]);
});
