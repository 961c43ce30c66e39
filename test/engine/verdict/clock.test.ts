import { describe, expect, it } from 'vitest';
import { parseUtc, toMs } from '../../../src/engine/verdict/time.js';
import { at, codes, data, endAt, entry, objectives, passing, verdictOf, type Story } from './drill-builder.js';

/** Moves the UTC reading of everything from `ms` on. */
function stepWall(story: Story, ms: number, by: number): void {
  for (const one of story.entries) {
    if (one.at < ms) continue;
    one.wall = by;
    if (one.type === 'probe.sample' || one.type === 'ledger.row') {
      const sample = one.data as { sent: object; done?: object; acked?: object | null };
      for (const instant of [sample.sent, sample.done, sample.acked]) if (instant && 'at' in instant) instant.at = new Date(Date.parse(String(instant.at)) + by).toISOString();
    }
  }
}

describe('clock', () => {
  it('counts a suspend by UTC as the upper bound and lists it', () => {
    const story = passing();
    stepWall(story, 6500, 3_600_000);
    const drill = verdictOf(story);
    expect(drill.rto).toMatchObject({ status: 'missed', valueMs: 4500, upperMs: 3_604_500 });
    expect(drill.clock).toEqual([{ span: 'fault to recovery', monotonicMs: 4500, utcMs: 3_604_500, countedMs: 3_604_500 }]);
    expect(codes(drill)).toContain('rto-missed');
  });

  it('is not flattered by a clock set back', () => {
    const story = passing();
    stepWall(story, 6500, -3_600_000);
    expect(verdictOf(story).rto).toMatchObject({ valueMs: 4500, upperMs: 4500 });
  });

  it('does not list what is within the tolerance of 500 ms', () => {
    const story = passing();
    stepWall(story, 6500, 500);
    expect(verdictOf(story).clock).toEqual([]);
    stepWall(story, 6500, 501);
    expect(verdictOf(story).rto.valueMs).toBe(4500);
  });

  it('counts the time between two segments by UTC, and as a gap', () => {
    const story = passing();
    story.entries.push({ ...entry(7000, 'run.resumed', { host: 'h', operator: 'ann', cut: false }) });
    for (const one of story.entries) if (one.at >= 7000) one.boot = 'boot-2';
    stepWall(story, 7000, 10_000);
    const drill = verdictOf(story);
    expect(drill.rto).toMatchObject({ valueMs: 14_500, upperMs: 14_500 });
    expect(codes(drill)).toEqual(['probe-gap']);
    expect(drill.gaps).toEqual([expect.objectContaining({ probe: 'availability', ms: 10_090 })]);
  });

  it('measures nothing across segments whose UTC went backwards', () => {
    const story = passing();
    story.entries.push({ ...entry(7000, 'run.resumed', { host: 'h', operator: 'ann', cut: false }) });
    for (const one of story.entries) if (one.at >= 7000) one.boot = 'boot-2';
    stepWall(story, 7000, -60_000);
    expect(verdictOf(story).rto).toMatchObject({ valueMs: null, status: 'not-measured' });
  });

  it('believes no line of another boot within a segment', () => {
    const story = passing();
    for (const one of story.entries) if (one.at >= 9000) one.boot = 'boot-2';
    expect(verdictOf(story).rto.valueMs).toBeNull();
  });

  it('rounds up, so that a microsecond over the objective misses it', () => {
    expect(toMs(4_500_000_001n)).toBe(4500.001);
    const story = passing();
    objectives(story, 4500, 5000);
    expect(verdictOf(story).rto.status).toBe('met');
    for (const one of story.entries) if (one.step === 'healthy' && one.type === 'step.finished') one.at = 9500.000001;
    expect(verdictOf(story).rto).toMatchObject({ status: 'missed', upperMs: 4500.001 });
  });

  it('reads the forms in which servers write UTC', () => {
    expect(parseUtc('2026-03-01 12:00:00.123456+00')).toBe(parseUtc('2026-03-01T12:00:00.123456Z'));
    expect(parseUtc('2026-03-01 14:30:00+02:30')).toBe(parseUtc('2026-03-01T12:00:00Z'));
    for (const bad of ['2026-03-01 12:00:00', '2026-02-30T00:00:00Z', '2026-03-01T24:00:01Z', '', 'now']) expect(parseUtc(bad)).toBeNull();
  });
});

describe('gaps between samples', () => {
  const without = (from: number, to: number) => {
    const story = passing();
    story.entries = story.entries.filter((one) => one.type !== 'probe.sample' || one.at < from || one.at > to);
    return story;
  };

  it('allows the longer of three intervals and one interval and a second', () => {
    // Done at 6010, next sent at 7110: exactly 1.1 s; the sample before it makes it longer.
    const edge = without(6020, 7100);
    for (const one of data(edge, 'probe.sample')) if (one.sent.at === at(7100).at) Object.assign(one, { sent: at(7110), done: at(7120) });
    expect(codes(verdictOf(edge))).toEqual([]);
    for (const one of data(edge, 'probe.sample')) if (one.sent.at === at(7110).at) Object.assign(one, { sent: at(7110.001), done: at(7120) });
    for (const one of data(edge, 'probe.sample')) if (one.sent.at === at(7110).at) one.sent.mono = at(7110.001).mono;
    expect(codes(verdictOf(edge))).toEqual(['probe-gap']);
  });

  it('takes a slow sample for covered time', () => {
    const story = without(6020, 8000);
    story.entries.push(entry(8000, 'probe.sample', { probe: 'availability', endpoint: 'app', read: false, write: false, control: true, sent: at(6100), done: at(8000) }));
    expect(verdictOf(story).gaps).toEqual([]);
  });

  it('takes the end of a gap within the healthy run as the upper bound', () => {
    const story = without(9420, 11_000);
    const drill = verdictOf(story);
    expect(drill.rto).toMatchObject({ restoredMs: 4210, valueMs: 4500, upperMs: 6010 });
    expect(codes(drill)).toEqual(['probe-gap']);
  });

  it('takes a sample whose control failed for no sample', () => {
    const story = passing();
    for (const one of data(story, 'probe.sample')) if (one.sent.at >= at(10_000).at) one.control = false;
    const drill = verdictOf(story);
    expect(drill.gaps).toEqual([{ probe: 'availability', startMs: 4910, ms: endAt - 9910 }]);
    expect(codes(drill)).toEqual(['probe-gap']);
  });
});
