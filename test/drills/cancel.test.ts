import { existsSync } from 'node:fs';
import { afterAll, expect, test } from 'vitest';
import { before, drill, expectNothingLeft, muster, processesOf, removeFolders, run, runsIn, type LiveDrill } from './harness.js';

afterAll(removeFolders);

/** A drill that waits, after its fault, until somebody stops it. */
const waiting = { runbook: (runbook: Parameters<NonNullable<Parameters<typeof run>[0]>['runbook'] & {}>[0]) => before(runbook, 'restore', { id: 'pause', phase: 'restore', uses: 'wait', with: { for: '1h' }, timeout: '2h' }) };

async function paused(live: LiveDrill): Promise<void> {
  await live.until(({ type, step }) => type === 'step.started' && step === 'pause');
}

test.each(['SIGINT', 'SIGTERM'] as const)('%s: exit 4, a sound bundle of a cancelled drill, and nothing left', async (signal) => {
  const judged = await drill({
    ...waiting,
    beside: async (live) => {
      await paused(live);
      // A lost terminal ends nothing.
      live.child.kill('SIGHUP');
      live.child.kill(signal);
    },
  });
  expect(judged.code).toBe(4);
  expect(judged.drill.verdict).toBe('cancelled');
  expect(judged.codes).toEqual(['cancelled']);
  expect(judged.of('cancel.requested').map(({ data }) => data.by)).toEqual([signal]);
});

test('SIGINT twice: exit 5 at once, no bundle; what is left can be cleaned up, and then reads as no pass', async () => {
  const drilled = await run({
    ...waiting,
    beside: async (live) => {
      await paused(live);
      live.child.kill('SIGINT');
      await live.until(({ type }) => type === 'cancel.requested');
      live.child.kill('SIGINT');
    },
  });
  expect(drilled.code).toBe(5);
  expect(drilled.bundle).toBeNull();
  expect(drilled.stderr).toContain(`npx muster cleanup ${drilled.runId}`);
  expect(runsIn(drilled.state)).toEqual([drilled.runId]);
  const cleaned = await muster(drilled.folder, ['cleanup', String(drilled.runId)]);
  expect(cleaned.code, cleaned.stderr).toBe(0);
  expect(processesOf(String(drilled.runId))).toEqual([]);
  expectNothingLeft(drilled);
  expect(existsSync(drilled.evidenceDir) && drilled.bundle !== null).toBe(false);
});

test('killed after the fault: resume leaves a sound bundle that did not pass, and nothing else', async () => {
  const drilled = await run({
    ...waiting,
    beside: async (live) => {
      await paused(live);
      live.child.kill('SIGKILL');
    },
  });
  expect(drilled.code).toBeNull();
  const resumed = await muster(drilled.folder, ['resume', String(drilled.runId)]);
  expect(resumed.code, resumed.stderr).toBe(1);
  expectNothingLeft(drilled);
});
