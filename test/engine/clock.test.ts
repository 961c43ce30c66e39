import { describe, expect, it } from 'vitest';
import { bootId, monoMs, systemClock } from '../../src/engine/clock.js';

describe('the clock', () => {
  it('rises in nanoseconds beside UTC', async () => {
    const clock = systemClock();
    const first = clock.now();
    await clock.sleep(20, new AbortController().signal);
    const second = clock.now();
    expect(first.mono).toMatch(/^\d+$/);
    expect(first.at).toMatch(/^\d{4}-\d\d-\d\dT.*Z$/);
    expect(monoMs(first, second)).toBeGreaterThanOrEqual(20);
  });

  it('stops waiting with the reason of the signal', async () => {
    const stop = new AbortController();
    const reason = new Error('enough');
    const waiting = systemClock().sleep(2 ** 40, stop.signal);
    stop.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    await expect(systemClock().sleep(0, stop.signal)).rejects.toBe(reason);
  });

  it('names this boot', () => {
    expect(bootId()).toMatch(/^(process-)?[0-9a-f]{8}-/);
    expect(bootId()).toBe(bootId());
  });
});
