import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { before, drill, expectNothingLeft, judge, muster, processesOf, removeFolders, run, runsIn, type LiveDrill } from './harness.js';

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
  expect(drilled.stderr).toContain(`muster cleanup ${drilled.runId}`);
  expect(runsIn(drilled.state)).toEqual([drilled.runId]);
  const cleaned = await muster(drilled.folder, ['cleanup', String(drilled.runId)]);
  expect(cleaned.code, cleaned.stderr).toBe(0);
  expect(processesOf(String(drilled.runId))).toEqual([]);
  expectNothingLeft(drilled);
  expect(existsSync(drilled.evidenceDir) && drilled.bundle !== null).toBe(false);
});

test('killed after the fault and resumed: ends with a sound bundle that tells of the unwatched time, and leaves nothing', async () => {
  const drilled = await run({
    runbook: (runbook) => before(runbook, 'restore', { id: 'pause', phase: 'restore', uses: 'exec', with: { argv: ['sh', '-c', 'until test -e "$0/go"; do sleep 0.05; done', '{{ state }}'], effect: 'read' } }),
    environment: ({ boundary }) => (boundary.commands = [...(boundary.commands ?? []), 'sh']),
    beside: async (live) => {
      await paused(live);
      live.child.kill('SIGKILL');
    },
  });
  expect(drilled.code).toBeNull();
  await writeFile(join(drilled.state, 'go'), '');
  // Longer than what may lie between two samples.
  await new Promise((resolve) => setTimeout(resolve, 1500));
  const resumed = await muster(drilled.folder, ['resume', String(drilled.runId)]);
  expect(resumed.code, resumed.stderr).toBe(1);
  const judged = await judge({ ...drilled, bundle: join(drilled.evidenceDir, String(drilled.runId)) });
  expect(judged.drill.verdict).not.toBe('passed');
  expect(judged.codes).toContain('probe-gap');
  expectNothingLeft(drilled);
});
