import { describe, expect, test } from 'vitest';
import { step } from '../../../src/steps/general/wait.js';
import { contextFor } from '../lib/context.js';

/** A probe that says one thing after the other, each when it is asked for the next sample. */
function probeOf(...says: (boolean | null)[]): { healthy: boolean | null; asked: number; next: () => Promise<void> } {
  const probe = {
    healthy: says[0] ?? null,
    asked: 0,
    next(): Promise<void> {
      probe.asked += 1;
      if (probe.asked >= says.length) return Promise.reject(new Error('there is no further sample'));
      probe.healthy = says[probe.asked] ?? null;
      return Promise.resolve();
    },
  };
  return probe;
}

describe('until a probe says so', () => {
  test.each([
    ['failing', undefined, [false], 0],
    ['failing', undefined, [null, true, true, false], 3],
    ['failing', 3, [true, false, false, true, false, false, false, true], 6],
    ['healthy', 2, [false, null, true, true], 3],
  ] as const)('%s for %s samples of %j: after %i samples', async (until, samples, says, asked) => {
    const probe = probeOf(...says);
    await step.run({ probe: 'app', until, ...(samples === undefined ? {} : { samples }) }, contextFor({}, { app: probe }));
    expect(probe.asked).toBe(asked);
  });

  test('a probe that the runbook does not have is an error', async () => {
    await expect(step.run({ probe: 'app', until: 'failing' }, contextFor())).rejects.toMatchObject({ code: 'no-such-probe' });
  });
});

test('waits at least the time, and not a moment after an abort', async () => {
  expect((await step.run({ for: '30ms' }, contextFor())).waitedMs).toBeGreaterThanOrEqual(29);
  const controller = new AbortController();
  const waiting = step.run({ for: '1h' }, contextFor({ signal: controller.signal }));
  controller.abort(new Error('cancelled'));
  await expect(waiting).rejects.toThrow('cancelled');
});

test.each([{}, { probe: 'app' }, { until: 'failing' as const }, { for: '1s', probe: 'app', until: 'failing' as const }])('%j is bad input', async (given) => {
  await expect(step.run(given, contextFor({}, { app: probeOf(false) }))).rejects.toMatchObject({ code: 'bad-input' });
});
