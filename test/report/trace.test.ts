import { describe, expect, it } from 'vitest';
import { drillTrace } from '../../src/report/trace.js';
import { notification, slackMessage } from '../../src/report/notification.js';
import { hostile, inputOf } from './lib/drills.js';

describe('the trace of a drill', () => {
  const input = inputOf();
  const { id, spans } = drillTrace(input);
  const named = (name: string) => spans.find((span) => span.name === name);

  it('has the drill at its root, its phases in it, and each step in its phase', () => {
    expect(spans[0]).toMatchObject({ name: 'drill pitr-restore', parent: null, error: null, attributes: { 'muster.verdict': 'passed', 'muster.run': input.drill.run } });
    for (const step of input.drill.steps) {
      const span = named(step.id);
      expect(spans[span?.parent ?? -1]?.name, step.id).toBe(`phase ${step.phase}`);
      expect((span?.endMs ?? 0) - (span?.startMs ?? 0), step.id).toBeCloseTo(step.durationMs ?? 0, 3);
    }
    for (const span of spans) expect(span.parent === null || spans[span.parent] !== undefined).toBe(true);
  });

  it('holds every child within the time of its parent', () => {
    for (const span of spans) {
      const parent = span.parent === null ? undefined : spans[span.parent];
      expect(span.endMs).toBeGreaterThanOrEqual(span.startMs);
      if (parent === undefined) continue;
      expect(span.startMs).toBeGreaterThanOrEqual(parent.startMs - 0.001);
      expect(span.endMs).toBeLessThanOrEqual(parent.endMs + 0.001);
    }
  });

  it('says when the fault was sent, when service was back, and the outage that the probe saw', () => {
    const at = (name: string) => spans[0]?.events.find((event) => event.name === name)?.atMs ?? 0;
    expect(at('restored') - at('fault')).toBeCloseTo(input.drill.rto.restoredMs ?? -1, 3);
    const probe = named('probe availability');
    expect(probe?.events).toEqual([expect.objectContaining({ name: 'outage' })]);
    expect(probe?.events[0]?.attributes['muster.outage.ms']).toBeCloseTo(input.drill.rto.outageMs ?? -1, -3);
    expect(probe?.attributes['muster.endpoint']).toBe('app');
  });

  it('of a failed drill says which step failed and why', () => {
    const failed = inputOf({ failAt: 'restore' });
    const trace = drillTrace(failed);
    expect(trace.spans[0]?.error).toMatch(/^failed: .*step-failed/);
    expect(trace.spans.find(({ name }) => name === 'restore')?.error).not.toBeNull();
    expect(trace.spans[0]?.events.filter(({ name }) => name === 'reason').length).toBe(failed.drill.reasons.length);
  });

  it('is the same for the same drill, so that sending it twice makes no second one', () => {
    expect(id).toMatch(/^[0-9a-f]{32}$/);
    expect(drillTrace(input)).toEqual({ id, spans });
    expect(drillTrace(inputOf({ at: '2026-11-21T07:00:00Z' })).id).not.toBe(id);
  });
});

describe('the message to a webhook', () => {
  const bundle = { name: 'b', sha256: 'a'.repeat(64) };

  it('says verdict, figures, reasons and the digest of the bundle', () => {
    const { drill } = inputOf({ failAt: 'restore' });
    const { text } = slackMessage(drill, bundle);
    expect(text).toContain('*FAILED*: Restore PostgreSQL');
    expect(text).toContain('• step-failed at restore');
    expect(text).toContain('a'.repeat(64));
    expect(slackMessage(drill, null).text).toContain('WITHOUT A BUNDLE');
    expect(notification(drill, bundle)).toMatchObject({ schema: 'muster/notification/v1', verdict: 'failed', bundle, rto: { status: 'not-measured', ms: null } });
  });

  it('calls nobody and links nowhere, whatever a runbook is called', () => {
    const { drill } = inputOf({ hostile: `<!channel> <https://evil|here> ${hostile}` });
    const { text } = slackMessage(drill, bundle);
    expect(text).toContain('channel');
    expect(text).not.toMatch(/[<>]/);
  });
});
