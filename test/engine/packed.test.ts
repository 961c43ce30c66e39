import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson } from '../../src/engine/canonical.js';
import type { DrillEvent, EventOf } from '../../src/engine/events.js';
import { SamplePacker } from '../../src/engine/journal/packed.js';
import { derive } from '../../src/engine/verdict.js';
import { reportModel, type ReportInput } from '../../src/report/model.js';
import { drillRun, type DrillOptions } from '../report/lib/drills.js';
import { journal, passing } from './verdict/drill-builder.js';

const packed = (events: readonly DrillEvent[]): DrillEvent[] => {
  const packer = new SamplePacker();
  return events.map((event) => packer.pack(event));
};
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

const times = fc.oneof(
  fc.date({ min: new Date('0000-01-01T00:00:00Z'), max: new Date('9999-12-31T23:59:59Z'), noInvalidDate: true }).map((date) => date.toISOString()),
  fc.constantFrom('2026-11-20T07:00:00Z', '2026-11-20T07:00:00.000+00:00', '2026-02-30T07:00:00.000Z', '2026-11-20T07:00:00.123456Z', '+010000-01-01T00:00:00.000Z', '', 'never'),
);
const clocks = fc.oneof(fc.bigInt({ min: 0n, max: 10n ** 21n }).map(String), fc.constantFrom('007', '0', '18446744073709551616', '9007199254740993'));
const instant = fc.record({ at: times, mono: clocks });
const word = fc.oneof(fc.constantFrom('app', 'ledger', '__proto__', ''), fc.string());
const error = fc.option(fc.string(), { nil: undefined });
const flag = fc.boolean();
const sample = fc.record({ probe: word, endpoint: word, read: flag, write: flag, control: fc.option(flag), sent: instant, done: instant, error });
const row = fc.record({ probe: word, store: word, n: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), sent: instant, acked: fc.option(instant), error });
const prev = fc.oneof(fc.stringMatching(/^[0-9a-f]{64}$/), fc.constantFrom('', 'A'.repeat(64), 'xyz'));
const envelope = fc.record({ seq: fc.integer({ min: 1 }), at: times, mono: clocks, boot: word, prev, step: fc.option(fc.string(), { nil: undefined }), attempt: fc.option(fc.integer(), { nil: undefined }) });
const event = fc.tuple(envelope, fc.oneof(sample.map((data) => ({ type: 'probe.sample', data })), row.map((data) => ({ type: 'ledger.row', data })))).map(([line, what]) => plain({ ...line, ...what }) as DrillEvent);

describe('packed samples', () => {
  it('say what the event said, whatever stands in it', () => {
    fc.assert(fc.property(fc.array(event, { maxLength: 20 }), (events) => {
      const kept = packed(events);
      expect(plain(kept)).toEqual(plain(events));
      for (const [index, one] of kept.entries()) {
        for (const member of ['seq', 'at', 'mono', 'boot', 'step', 'attempt', 'prev', 'type'] as const) expect(one[member]).toBe(events[index]?.[member]);
      }
    }));
  });

  it('are really packed where a probe of ours wrote them, over many blocks', () => {
    const [first] = drillRun().events.filter((one): one is EventOf<'ledger.row'> => one.type === 'ledger.row');
    if (first === undefined) throw new Error('the sample run has a ledger');
    const events = Array.from({ length: 10_000 }, (_, index) => ({ ...first, seq: index + 1, data: { ...first.data, n: index + 1 } }));
    const kept = packed(events);
    expect(kept.every((one, index) => one !== events[index])).toBe(true);
    expect(plain(kept)).toEqual(plain(events));
  });

  const drills: readonly DrillOptions[] = [{}, { failAt: 'restore' }, { failAt: 'content' }, { rtoMs: 1000 }, { every: 1500 }, { every: 7 }, { sandbox: false }];
  it.each(drills)('prove what the events proved, and are reported alike: %j', (options) => {
    const run = drillRun(options);
    const events = packed(run.events);
    const drill = derive(run.runbook, run.plan, run.events);
    expect(canonicalJson(derive(run.runbook, run.plan, events))).toBe(canonicalJson(drill));
    const input: ReportInput = { ...run, drill, files: [] };
    expect(plain(reportModel({ ...input, events }))).toEqual(plain(reportModel(input)));
  });

  it('prove what the events proved, whatever was done to the journal', () => {
    const story = passing();
    const events = journal(story);
    const place = fc.nat({ max: events.length - 1 });
    const edit = fc.record({ what: fc.constantFrom('drop', 'double', 'later', 'earlier', 'boot', 'failed', 'unacknowledged', 'resumed'), at: place, by: fc.integer({ min: 1, max: 40 }) });
    fc.assert(fc.property(fc.array(edit, { maxLength: 6 }), (edits) => {
      const list = edits.reduce((all, { what, at, by }) => edited(all, what, at, by), events).map((one, index) => ({ ...one, seq: index + 1 }));
      expect(canonicalJson(derive(story.runbook, story.plan, packed(list)))).toBe(canonicalJson(derive(story.runbook, story.plan, list)));
    }), { numRuns: 150 });
  });
});

/** Does something to `by` lines from `at` on. */
function edited(events: readonly DrillEvent[], what: string, at: number, by: number): DrillEvent[] {
  const chosen = (index: number) => index >= at && index < at + by;
  const moved = (ms: number) => (one: DrillEvent) => ({ ...one, at: new Date(Date.parse(one.at) + ms).toISOString(), mono: String(BigInt(one.mono) + BigInt(ms) * 1_000_000n) });
  return events.flatMap((one, index): DrillEvent[] => {
    if (!chosen(index)) return [one];
    if (what === 'drop') return [];
    if (what === 'double') return [one, one];
    if (what === 'later' || what === 'earlier') return [moved(what === 'later' ? 900 : -900)(one)];
    if (what === 'boot') return [{ ...one, boot: 'another' }];
    if (what === 'failed' && one.type === 'probe.sample') return [{ ...one, data: { ...one.data, write: false, error: 'gone' } }];
    if (what === 'unacknowledged' && one.type === 'ledger.row') return [{ ...one, data: { ...one.data, acked: null } }];
    if (what === 'resumed' && index === at) return [{ ...one, type: 'run.resumed', data: { host: 'other', operator: 'sam', cut: false } }, one];
    return [one];
  });
}
