import { rmSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { DrillEvent } from '../../src/engine/events.js';
import { extendRun, healthyForMs, sampleState, type AvailabilitySample, type HealthyRun } from '../../src/engine/health.js';
import { Cancelled } from '../../src/engine/retry.js';
import { eventsOf, run, tempDir, type DrillSource } from './fixtures/drill.js';

/** The healthy run that lasts to the end. */
const healthyRun = (samples: readonly AvailabilitySample[]): HealthyRun | null => samples.reduce<HealthyRun | null>(extendRun, null);

let dir: string;
const at = (name: string) => join(dir, name);
beforeEach(async () => {
  dir = await tempDir();
});
afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

const sampleAt = (ms: number, read: boolean, write = read, control: boolean | null = null): AvailabilitySample => ({
  probe: 'p', endpoint: 'e', read, write, control, sent: { at: '', mono: String(ms * 1e6) }, done: { at: '', mono: String((ms + 1) * 1e6) },
});

describe('health', () => {
  it('is reads and writes in an unbroken run to the end; a blind runner proves nothing', () => {
    expect([sampleAt(0, true), sampleAt(0, true, false), sampleAt(0, false, false, true), sampleAt(0, false, false, false)].map(sampleState)).toEqual(['healthy', 'failing', 'failing', 'unknown']);
    const samples = [sampleAt(0, true), sampleAt(10, true, false), sampleAt(20, true), sampleAt(30, false, false, false), sampleAt(40, true)];
    const found = healthyRun(samples);
    expect(found).toEqual({ first: samples[2], last: samples[4], samples: 2 });
    expect(healthyForMs(found)).toBe(20);
    expect(extendRun(found, sampleAt(50, false))).toBeNull();
    expect(healthyForMs(healthyRun([]))).toBe(0);
  });
});

describe('probes', () => {
  const breaking = (more: Partial<DrillSource> = {}): DrillSource => ({
    inputs: { down: at('down') },
    probes: [
      { id: 'availability', uses: 'fixture.availability', with: { down: '{{ inputs.down }}', every: 5 } },
      { id: 'ledger', uses: 'fixture.ledger', with: { every: 5 } },
    ],
    stableForMs: 100,
    steps: [
      { id: 'seed', uses: 'fixture.noop', phase: 'prepare' },
      { id: 'break', uses: 'fixture.make', phase: 'inject', with: { path: at('broken'), order: at('order') } },
      { id: 'last', uses: 'fixture.noop', phase: 'verify' },
    ],
    ...more,
  });
  /** The service goes down with the fault and comes back with the step `last`. */
  const service = (event: DrillEvent) => {
    if (event.type === 'fault.sent') writeFileSync(at('down'), '');
    if (event.type === 'step.started' && event.step === 'last') rmSync(at('down'));
  };
  const seqOf = (events: readonly DrillEvent[], holds: (event: DrillEvent) => boolean) => events.find(holds)?.seq ?? Number.NaN;

  it('are healthy for as long as is demanded from the fault on, also where the service never failed', async () => {
    const { events } = await run(dir, breaking({ fault: 'planned', stableForMs: 300, steps: [{ id: 'fault', uses: 'fixture.fault', phase: 'inject' }, { id: 'last', uses: 'fixture.noop', phase: 'verify' }] }));
    const [fault, verified] = [seqOf(events, ({ type }) => type === 'fault.sent'), seqOf(events, ({ type }) => type === 'verification.ended')];
    const after = eventsOf(events, 'probe.sample').filter(({ seq }) => seq > fault && seq < verified);
    expect(healthyForMs(healthyRun(after.map(({ data }) => data)))).toBeGreaterThanOrEqual(300);
  });

  it('show a healthy state before the fault, then are waited for until health lasts, then read back, then stop', async () => {
    const { result, events } = await run(dir, breaking(), { onEvent: service });
    expect(result.completed).toBe(true);
    const started = seqOf(events, ({ type }) => type === 'probe.started');
    const fault = seqOf(events, ({ type }) => type === 'fault.sent');
    const verified = seqOf(events, ({ type }) => type === 'verification.ended');
    expect(started).toBeGreaterThan(seqOf(events, ({ type, step }) => type === 'step.finished' && step === 'seed'));
    const samples = eventsOf(events, 'probe.sample');
    const before = samples.filter(({ seq }) => seq < fault);
    expect(before.length).toBeGreaterThanOrEqual(5);
    expect(before.every(({ data }) => data.read && data.write)).toBe(true);
    expect(eventsOf(events, 'ledger.row').some(({ seq, data }) => seq < fault && data.acked !== null)).toBe(true);
    const lasting = healthyRun(samples.filter(({ seq }) => seq < verified).map(({ data }) => data));
    expect(healthyForMs(lasting)).toBeGreaterThanOrEqual(100);
    const recovered = seqOf(events, ({ type }) => type === 'ledger.recovered');
    expect(recovered).toBeGreaterThan(verified);
    for (const stopped of eventsOf(events, 'probe.stopped')) expect(stopped.seq).toBeGreaterThan(recovered);
    expect(seqOf(events, ({ type }) => type === 'cleanup.started')).toBeGreaterThan(Math.max(...eventsOf(events, 'probe.stopped').map(({ seq }) => seq)));
  });

  it('that never become healthy again do not hold the run for ever', async () => {
    const { result, events } = await run(dir, breaking(), { limits: { stableMs: 100 }, onEvent: (event) => { if (event.type === 'fault.sent') writeFileSync(at('down'), ''); } });
    expect(result.completed).toBe(true);
    expect(eventsOf(events, 'verification.ended')).toHaveLength(1);
    expect(eventsOf(events, 'probe.sample').at(-1)?.data.read).toBe(false);
  });

  it('are stopped without a verification when a step before it failed, and when the run is cancelled', async () => {
    const bad = { id: 'bad', uses: 'fixture.make', with: { path: at('x'), order: at('order'), fail: true } };
    const { events } = await run(dir, breaking({ steps: [bad] }));
    expect(eventsOf(events, 'verification.ended')).toEqual([]);
    expect(eventsOf(events, 'ledger.recovered')).toEqual([]);
    expect(eventsOf(events, 'probe.stopped').map(({ data }) => data.probe).sort()).toEqual(['availability', 'ledger']);
    await rm(at('run'), { recursive: true });
    const cancel = new AbortController();
    const cancelled = await run(dir, breaking({ stableForMs: 600_000 }), { signal: cancel.signal, onEvent: (event) => { if (event.type === 'step.finished' && event.step === 'last') cancel.abort(new Cancelled('SIGINT')); } });
    expect(cancelled.result).toMatchObject({ completed: false, cancelled: true });
    expect(eventsOf(cancelled.events, 'probe.stopped')).toHaveLength(2);
  });

  it('of a declared drill need no baseline at an endpoint that leads nowhere yet', async () => {
    writeFileSync(at('down'), '');
    const source = breaking({
      fault: 'declared',
      endpoints: { app: { provision: 'forwarder', to: null, host: null, port: null } },
      probes: [{ id: 'availability', uses: 'fixture.availability', with: { down: at('down'), every: 5, endpoint: 'app' } }],
      steps: [{ id: 'fault', uses: 'fixture.fault', phase: 'inject' }, { id: 'last', uses: 'fixture.noop', phase: 'verify' }],
    });
    const { result } = await run(dir, source, { limits: { baselineMs: 100 }, onEvent: service });
    expect(result).toMatchObject({ completed: true });
    await rm(at('run'), { recursive: true });
    writeFileSync(at('down'), '');
    const injected = await run(dir, { ...source, fault: 'injected', steps: breaking().steps }, { limits: { baselineMs: 100 } });
    expect(injected.result.refused?.message).toContain('no healthy state before the fault');
  });

  it('that cannot start refuse the run', async () => {
    const { result, events } = await run(dir, breaking({ probes: [{ id: 'x', uses: 'fixture.ledger', with: { every: 'often' } }] }));
    expect(result.refused?.message).toContain('probe x has no valid input');
    expect(eventsOf(events, 'fault.sent')).toEqual([]);
  });
});
