import Value from 'typebox/value';
import { describe, expect, it } from 'vitest';
import { DrillSchema } from '../../../src/engine/drill.js';
import { derive, rules } from '../../../src/engine/verdict.js';
import { canonical, journal, passing, verdictOf } from './drill-builder.js';

describe('a drill that earns its pass', () => {
  const drill = verdictOf(passing());

  it('passes without a reason and fits its schema', () => {
    expect(drill.reasons).toEqual([]);
    expect(drill.verdict).toBe('passed');
    expect(Value.Errors(DrillSchema, drill)).toEqual([]);
  });

  it('measures recovery from the fault to the later of restored and gate', () => {
    expect(drill.rto).toMatchObject({ status: 'met', valueMs: 4500, upperMs: 4500, restoredMs: 4210, gateMs: 4500, waitingMs: 400, withoutWaitingMs: 4100, firstFailedMs: 0, outageMs: 4210 });
  });

  it('breaks the recovery time down into phases that add up to it', () => {
    expect(drill.rto.phases.map(({ phase, ms }) => [phase, ms])).toEqual([['prepare', 0], ['inject', 100], ['detect', 200], ['decide', 700], ['restore', 3000], ['cutover', 100], ['verify', 400]]);
    expect(drill.rto.phases.reduce((sum, { ms }) => sum + (ms ?? 0), 0)).toBe(drill.rto.valueMs);
  });

  it('counts what the ledger lost, discarded and kept', () => {
    // Rows 1..30 were acknowledged before the fault, 1..27 recovered; row 27 was acknowledged at 4655 ms.
    expect(drill.rpo).toMatchObject({ status: 'met', valueMs: 345, basis: 'ledger', lost: 3 });
    expect(drill.rpo.stores[0]).toMatchObject({ acknowledgedBeforeFault: 30, recovered: 27, lost: 3, firstLost: 28, lastRecovered: 27, discarded: { count: 40, spanMs: 3900 } });
  });

  it('shows waiting and working time of people', () => {
    expect(drill.manual).toEqual({ steps: 1, waitingMs: 400, workingMs: 250 });
    expect(drill.steps.find(({ id }) => id === 'decide')).toMatchObject({ startMs: 5300, durationMs: 700, waitingMs: 400, workingMs: 250 });
  });

  it('depends on its arguments alone', () => {
    const story = passing();
    const events = journal(story);
    const first = canonical(derive(story.runbook, story.plan, events));
    expect(canonical(derive(story.runbook, story.plan, structuredClone(events)))).toBe(first);
    expect(rules[1](story.runbook, story.plan, events)).toEqual(JSON.parse(first));
  });
});
