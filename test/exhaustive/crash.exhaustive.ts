import { afterAll, describe, expect, it } from 'vitest';
import { CrashSite, type Answer, type Point } from './crash.js';

/** Every line of the PITR drill's journal, and the first sample of each type; MUSTER_CRASH_POINTS='40,step.started restore' takes only those. */
const site = new CrashSite();
const chosen = process.env['MUSTER_CRASH_POINTS']?.split(',').map((text): Point => (/^\d+$/.test(text) ? Number(text) : (text as Point)));
const points = chosen ?? (await site.points());
afterAll(() => site.remove());

describe.each(['resume', 'cleanup'] satisfies Answer[])('after SIGKILL, %s', (answer) => {
  it('has points to die at', () => expect(points.length).toBeGreaterThan(0));
  it.each(points.map((point) => [point]))('at %s leaves nothing and nothing reads as passed that was not', (point) => site.dieAndRecover(point, answer));
});
