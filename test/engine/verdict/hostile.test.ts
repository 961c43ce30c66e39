import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sha256 } from '../../../src/engine/canonical.js';
import { eventTypes, type DrillEvent } from '../../../src/engine/events.js';
import { evidenceKindNames } from '../../../src/engine/kinds/index.js';
import { derive } from '../../../src/engine/verdict.js';
import { at, canonical, journal, passing, renumber } from './drill-builder.js';

const story = passing();
const events = journal(story);
const honest = derive(story.runbook, story.plan, events);
const figures = (list: readonly DrillEvent[]) => derive(story.runbook, story.plan, list);
const indexes = fc.uniqueArray(fc.integer({ min: 0, max: events.length - 1 }), { minLength: 1, maxLength: 6 });
/** Half of the draws go to the few lines that are no samples. */
const telling = events.flatMap(({ type }, index) => (type === 'probe.sample' || type === 'ledger.row' ? [] : [index]));
const chosen = fc.oneof(indexes, fc.uniqueArray(fc.constantFrom(...telling), { minLength: 1, maxLength: 3 }));
const runs = { numRuns: 120 };

describe('a journal that was tampered with', () => {
  it('never passes with lines left out, doubled or moved', () => {
    fc.assert(
      fc.property(chosen, fc.constantFrom('drop', 'double', 'move'), (picked, how) => {
        const set = new Set(picked);
        const rest = events.filter((_, index) => !set.has(index));
        const taken = events.filter((_, index) => set.has(index));
        const list = how === 'drop' ? rest : how === 'double' ? events.flatMap((event, index) => (set.has(index) ? [event, event] : [event])) : [...taken, ...rest];
        const unchanged = list.length === events.length && list.every((event, index) => event === events[index]);
        const cutAtEnd = how === 'drop' && rest.every((event, index) => event === events[index]);
        if (unchanged) return;
        const { verdict } = figures(list);
        expect(verdict).not.toBe('passed');
        if (cutAtEnd) expect(verdict).toBe('incomplete');
      }),
      runs,
    );
  });

  it('gives no better figure when lines are left out and the rest is numbered anew', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.constantFrom(...telling), { minLength: 1, maxLength: 3 }), (picked) => {
        const drill = figures(renumber(events.filter((_, index) => !picked.includes(index))));
        if (drill.verdict !== 'passed') return;
        expect(drill.rto.upperMs).toBeGreaterThanOrEqual(honest.rto.upperMs ?? 0);
        expect(drill.rpo).toEqual(honest.rpo);
      }),
      runs,
    );
  });

  it('keeps its figures when lines are doubled and numbered anew, or does not pass', () => {
    fc.assert(
      fc.property(chosen, (picked) => {
        const drill = figures(renumber(events.flatMap((event, index) => (picked.includes(index) ? [event, event] : [event]))));
        if (drill.verdict === 'passed') expect([drill.rto, drill.rpo]).toEqual([honest.rto, honest.rpo]);
      }),
      runs,
    );
  });

  it('never counts fewer lost rows when ledger rows are left out', () => {
    const rows = events.flatMap(({ type }, index) => (type === 'ledger.row' ? [index] : []));
    fc.assert(
      fc.property(fc.uniqueArray(fc.constantFrom(...rows), { minLength: 1, maxLength: 5 }), (picked) => {
        const drill = figures(renumber(events.filter((_, index) => !picked.includes(index))));
        if (drill.verdict === 'passed') expect(drill.rpo.stores[0]?.lost).toBe(honest.rpo.stores[0]?.lost);
      }),
      runs,
    );
  });
});

const text = fc.oneof(fc.string(), fc.constantFrom('break', 'restore', 'availability', 'ledger', 'app', 'copy', '__proto__', 'toString', '\ud800', '99999/1', '0/3000000', '2026-13-45T99:99:99Z'));
const whole = fc.oneof(fc.integer(), fc.constantFrom(0, 1, 27, Number.MAX_SAFE_INTEGER, 1e300, -1e300));
const instant = fc.oneof(fc.integer({ min: -10_000, max: 20_000 }).map((ms) => at(ms)), fc.record({ at: text, mono: fc.oneof(fc.bigInt({ min: 0n }).map(String), fc.constantFrom('0', '9'.repeat(400))) }));
const json = fc.oneof(fc.jsonValue(), fc.record({ kind: fc.constantFrom(...evidenceKindNames), data: fc.jsonValue() }));

/** A line whose members have the types of some real line of this type, and wild values. */
function wild(value: unknown): fc.Arbitrary<unknown> {
  if (typeof value === 'string') return fc.oneof({ weight: 3, arbitrary: fc.constant(value) }, text);
  if (typeof value === 'number') return fc.oneof({ weight: 2, arbitrary: fc.constant(value) }, whole);
  if (typeof value === 'boolean') return fc.boolean();
  if (Array.isArray(value)) return value.length === 0 ? fc.constant([]) : fc.array(fc.oneof(...value.slice(0, 3).map(wild)), { maxLength: 4 });
  if (typeof value === 'object' && value !== null) {
    if ('mono' in value && 'at' in value) return instant;
    return fc.record(Object.fromEntries(Object.entries(value).map(([key, member]) => [key, wild(member)])));
  }
  return fc.constant(value);
}

const line = fc.constantFrom(...events.filter(({ type }, index) => telling.includes(index) || type === 'ledger.row' || type === 'probe.sample')).chain((event) =>
  fc.record({ data: wild(event.data), seq: whole, time: instant, boot: fc.constantFrom('boot-1', 'boot-2'), attempt: whole }).map(({ data, seq, time, boot, attempt }) => ({ ...event, ...time, seq, boot, attempt, data }) as unknown as DrillEvent),
);
const badEvidence = json.map((data) => ({ ...events[3], type: 'evidence.recorded', data: { kind: 'wal-end', data } }) as unknown as DrillEvent);

describe('anything that is an event', () => {
  it('is taken without an error, and a list of such never passes', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(line, badEvidence), { maxLength: 40 }), (list) => {
        const drill = figures(list);
        expect(drill.verdict).not.toBe('passed');
        expect(canonical(drill)).toBe(canonical(figures(list)));
      }),
      { numRuns: 200 },
    );
  });

  it('is taken without an error among the lines of a real run', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(events.length), fc.oneof(line, badEvidence)), { minLength: 1, maxLength: 10 }), (inserted) => {
        const list = [...events];
        for (const [index, event] of inserted) list.splice(index, 0, event);
        canonical(figures(renumber(list)));
        expect(figures(list).verdict).not.toBe('passed');
      }),
      runs,
    );
  });

  it('covers the vocabulary of the journal', () => {
    expect(figures([]).verdict).toBe('incomplete');
    expect(eventTypes.length).toBeGreaterThan(30);
  });

  it('leaves its arguments as they were', () => {
    const before = sha256(JSON.stringify([story, events]));
    figures(events);
    expect(sha256(JSON.stringify([story, events]))).toBe(before);
  });
});
