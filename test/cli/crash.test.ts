import { afterAll, describe, it } from 'vitest';
import { CrashSite, seeded, type Answer, type Point } from '../exhaustive/crash.js';

/**
 * A sample of what `npm run test:exhaustive` does, another one every time. The seed is printed: MUSTER_CRASH_SEED repeats it.
 * One point of each part of the drill: provisioning, preparing, the fault, the restore, the verification, the cleanup.
 */
const seed = Number(process.env['MUSTER_CRASH_SEED'] ?? Date.now() % 1_000_000);
const random = seeded(seed);
const oneOf = (...points: Point[]): Point => points[random(points.length)] ?? 'run.started';
const points: readonly (readonly [Point, Answer])[] = [
  [oneOf('run.started', 'cleanup.deferred provision:backups', 'cleanup.deferred provision:source', 'cleanup.confirmed provision:source', 'connection.provisioned', 'cleanup.deferred provision:copy', 'endpoint.opened'), 'cleanup'],
  [oneOf('step.started seed', 'cleanup.deferred seed', 'step.finished backup', 'probe.started', 'probe.sample', 'step.started bad-deploy'), 'cleanup'],
  [oneOf('fault.sent', 'step.finished bad-deploy', 'step.started after', 'cleanup.deferred after', 'step.started noticed', 'step.finished noticed', 'step.started close-wal'), 'resume'],
  [oneOf('step.started restore', 'cleanup.deferred restore', 'cleanup.confirmed restore', 'evidence.recorded restore', 'step.finished restore'), 'resume'],
  [oneOf('step.started wal-end', 'step.finished content', 'step.started switch', 'endpoint.switched', 'step.finished switch', 'evidence.recorded healthy'), 'resume'],
  [oneOf('verification.ended', 'probe.stopped', 'cleanup.started restore', 'cleanup.finished provision:copy', 'run.finished'), 'cleanup'],
];
const site = new CrashSite();
afterAll(() => site.remove());

describe(`a drill killed at points of the seed ${seed}`, () => {
  it.each(points)('after %s leaves nothing once the operator says %s, and nothing reads as passed that was not', (point, answer) => site.dieAndRecover(point, answer));
});
