import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compare } from '../../src/cli/compare.js';
import { UsageError } from '../../src/engine/errors.js';
import type { DrillEvent } from '../../src/engine/events.js';
import { compareDrills } from '../../src/report/compare/model.js';
import { copyOf, workFolder } from '../evidence/lib/bundle.js';
import { capture, hostile, inputOf, writeDrill } from '../report/lib/drills.js';

const minute = 60_000;
const boundary = 15_400;

/** Lets the restore take `ms` longer: what comes after its end moves by as much, and `replay` of it is WAL replay. */
const slower = (ms: number, replay: number) => (events: DrillEvent[]): DrillEvent[] => {
  const start = BigInt(events[0]?.mono ?? '0');
  const moved = (instant: { at: string; mono: string }) => (Number(BigInt(instant.mono) - start) / 1e6 < boundary - 0.6 ? instant : { at: new Date(Date.parse(instant.at) + ms).toISOString(), mono: String(BigInt(instant.mono) + BigInt(ms) * 1_000_000n) });
  const walk = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(walk);
    if (typeof value !== 'object' || value === null) return value;
    const copy = Object.fromEntries(Object.entries(value).map(([key, member]) => [key, walk(member)]));
    return typeof copy['at'] === 'string' && typeof copy['mono'] === 'string' ? { ...copy, ...moved({ at: copy['at'], mono: copy['mono'] }) } : copy;
  };
  return (walk(events) as DrillEvent[]).map((event) => (event.type === 'step.finished' && event.step === 'restore' ? { ...event, data: { ...event.data, output: { backup: 'base-1', startedAfterMs: replay } } } : event));
};

const before = inputOf({ edit: slower(0, minute / 60) });
const after = inputOf({ at: '2027-02-20T07:00:00Z', version: '1.1.0', tool: '0.0.9', rtoMs: 30 * minute, edit: slower(18 * minute, 14 * minute + minute / 60) });

describe('a comparison', () => {
  const comparison = compareDrills(before, after);

  it('says in its first line how much, and what made most of it', () => expect(comparison.headline).toBe('RTO +18m, 14m of it restore (WAL replay)'));

  it('finds the other direction too', () => expect(compareDrills(after, before).headline).toBe('RTO −18m, 14m of it restore (WAL replay)'));

  it('says that nothing changed where nothing did', () => {
    const same = compareDrills(before, before);
    expect(same.headline).toBe('RTO unchanged');
    expect(same.changes).toEqual([]);
    expect(same.parts.every(({ delta }) => delta === 0)).toBe(true);
  });

  it('invents nothing where the recovery was not measured', () => {
    const failed = inputOf({ failAt: 'restore' });
    const broken = compareDrills(before, failed);
    expect(broken.headline).toBe(`RTO cannot be compared: it was not measured in ${failed.drill.run}`);
    expect(broken.rto.delta).toBeNull();
    expect(broken.changes).toContainEqual({ what: 'verdict', before: 'passed', after: 'failed' });
  });

  it('aligns steps by id and phase, and counts only what lies within the recovery', () => {
    const restore = comparison.parts.filter(({ step }) => step === 'restore');
    expect(restore).toEqual([
      { step: 'restore', phase: 'restore', what: 'WAL replay', before: 1000, after: 841_000, delta: 840_000 },
      { step: 'restore', phase: 'restore', what: null, before: 3500, after: 243_500, delta: 240_000 },
    ]);
    expect(comparison.parts.map(({ step }) => step)).not.toContain('seed');
    expect(comparison.parts.filter(({ step }) => step === 'approve').map(({ what, before: ms }) => [what, ms])).toContainEqual(['waiting for people', 1899]);
  });

  it('has phases that add up to the change', () => {
    expect(comparison.phases.reduce((sum, { delta }) => sum + (delta ?? 0), 0)).toBeCloseTo(comparison.rto.delta ?? NaN, 3);
  });

  it('names what changed between: runbook, versions, objectives', () => {
    const changes = new Map(comparison.changes.map(({ what, before: old, after: now }) => [what, `${old} -> ${now}`]));
    expect(changes.get('runbook')).toBe('pitr-restore 1.0.0 -> pitr-restore 1.1.0');
    expect(changes.get('Muster')).toMatch(/ -> 0\.0\.9$/);
    expect(changes.get('RTO objective')).toBe('15m 00s -> 30m 00s');
    expect(changes.has('environment')).toBe(false);
  });

  it('names a larger data set, another backup and server', () => {
    const larger = inputOf({
      edit: (events) => events.map((event) => (event.type === 'evidence.recorded' ? { ...event, data: JSON.parse(JSON.stringify(event.data).replaceAll('"rows":100000', '"rows":250000').replaceAll('base-1', 'base-9').replaceAll('18.4', '18.5')) as typeof event.data } : event)),
    });
    expect(compareDrills(before, larger).changes).toEqual(expect.arrayContaining([{ what: 'rows checked', before: '100000', after: '250000' }, { what: 'backup', before: 'base-1', after: 'base-9' }, { what: 'server version', before: '18.4', after: '18.5' }]));
  });
});

describe('muster compare', () => {
  let folder: Awaited<ReturnType<typeof workFolder>>;
  let first: string;
  let second: string;
  beforeAll(async () => {
    folder = await workFolder();
    first = await writeDrill(folder.path);
    second = await writeDrill(folder.path, { at: '2027-02-20T07:00:00Z', hostile, edit: slower(18 * minute, 14 * minute) });
  });
  afterAll(() => folder.remove());

  it('prints the headline first, in text and Markdown, and nothing of others that is acted on', async () => {
    const text = capture(folder.path);
    expect(await compare({ before: first, after: second, format: 'text' }, text.io)).toBe(0);
    expect(text.out.stdout.split('\n')[0]).toBe('RTO +18m, 14m of it restore (WAL replay)');
    expect(text.out.stdout).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}]/u);
    const markdown = capture(folder.path);
    expect(await compare({ before: first, after: second, format: 'markdown' }, markdown.io)).toBe(0);
    expect(markdown.out.stdout).toMatch(/^## RTO \\?\+18m/);
    expect(markdown.out.stdout).not.toMatch(/<script/);
    const json = capture(folder.path);
    expect(await compare({ before: first, after: second, format: 'json' }, json.io)).toBe(0);
    expect(JSON.parse(json.out.stdout)).toMatchObject({ rto: { delta: 18 * minute } });
  });

  it('tells nothing from a bundle that does not verify', async () => {
    const copy = await copyOf(second, 'edited');
    writeFileSync(join(copy, 'data/drill.json'), readFileSync(join(copy, 'data/drill.json'), 'utf8').replace('"lost":0', '"lost":1'));
    const { out, io } = capture(folder.path);
    expect(await compare({ before: first, after: copy, format: 'text' }, io)).toBe(1);
    expect(out.stdout).toBe('');
    expect(out.stderr).toMatch(/not sound/);
    await expect(compare({ before: 'nowhere', after: first, format: 'text' }, io)).rejects.toThrow(UsageError);
  });
});
