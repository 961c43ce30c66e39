import { afterAll, describe, it } from 'vitest';
import { CrashSite, seeded, type Answer, type Point } from '../exhaustive/crash.js';

/**
 * A sample of what `npm run test:exhaustive` does, another one every time. The seed is printed: MUSTER_CRASH_SEED repeats it.
 * One point of each part of the drill: provisioning, preparing, the fault, the restore, the verification, the cleanup.
 */
const seed = Number(process.env['MUSTER_CRASH_SEED'] ?? Date.now() % 1_000_000);
const random = seeded(seed);
const within = (from: number, to: number): Point => from + random(to - from + 1);
const points: readonly (readonly [Point, Answer])[] = [
  [within(1, 15), 'cleanup'],
  [within(16, 33), 'cleanup'],
  [within(34, 42), 'resume'],
  [within(43, 48), 'resume'],
  [within(49, 60), 'resume'],
  [within(61, 80), 'cleanup'],
];
const site = new CrashSite();
afterAll(() => site.remove());

describe(`a drill killed at points of the seed ${seed}`, () => {
  it.each(points)('at line %s leaves nothing after %s, and nothing reads as passed that was not', (point, answer) => site.dieAndRecover(point, answer));
});
