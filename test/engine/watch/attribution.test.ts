import { describe, expect, test } from 'vitest';
import type { Change } from '../../../src/engine/define-step.js';
import type { Observation } from '../../../src/engine/define-watcher.js';
import type { DrillEvent, EventDataOf, EventType } from '../../../src/engine/events.js';
import { Attribution } from '../../../src/engine/watch/attribution.js';
import type { ExpectedActor } from '../../../src/engine/watch/profile.js';

const second = (n: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, n)).toISOString();

function event<T extends EventType>(type: T, at: number, data: EventDataOf<T>, step?: string): DrillEvent {
  return { seq: 1, at: second(at), mono: '0', boot: '', prev: '', type, data, ...(step === undefined ? {} : { step }) } as unknown as DrillEvent;
}

function attribution(changes: readonly Change[], expect_: readonly ExpectedActor[] = []): Attribution {
  const step = { kind: 'step', id: 'alter', changes: [...changes] } as never;
  const probe = { id: 'load', changes: [{ system: 'endpoint:app', object: 'table orders' }] } as never;
  return new Attribution({ steps: [step], probes: [probe], cleanup: [] }, { profiles: [{ name: 'shop', sha256: '', expect: [...expect_] }] });
}

const seen = (what: Partial<Observation>): Observation => ({ system: 'postgres:copy', object: 'table orders', actor: null, change: 'rows written', proof: 'none', scope: 'recovery-path', at: second(5), ...what });
const now = second(60);

describe('what a step declares', () => {
  const ran = (changes: readonly Change[], with_: Record<string, unknown> = {}) => {
    const judge = attribution(changes);
    judge.take(event('step.started', 4, { uses: 'postgres.sql', with: with_ }, 'alter'));
    judge.take(event('step.finished', 6, { status: 'succeeded' }, 'alter'));
    return judge;
  };

  test('counts while the step was at work, and not a moment longer', () => {
    const judge = ran([{ system: 'postgres:copy', object: '*' }]);
    expect(judge.judge(seen({}), now).ours).toBe(true);
    expect(judge.judge(seen({ at: second(3) }), now).ours).toBe(false);
    expect(judge.judge(seen({ at: second(7) }), now).ours).toBe(false);
    // It may have been done by the step: nobody knows when, and the step was at work in between.
    expect(judge.judge(seen({ since: second(5), at: second(9) }), now).ours).toBe(true);
  });

  test('counts for its own object only', () => {
    const judge = ran([{ system: 'postgres:copy', object: 'table public.orders' }]);
    expect(judge.judge(seen({}), now).ours).toBe(true);
    expect(judge.judge(seen({ object: 'table accounts' }), now).ours).toBe(false);
    expect(judge.judge(seen({ system: 'postgres:source' }), now).ours).toBe(false);
  });

  test('is no proof where the system names somebody else', () => {
    const judge = ran([{ system: 'postgres:copy', object: '*' }]);
    expect(judge.judge(seen({ proof: 'another', actor: 'psql (user postgres)' }), now).ours).toBe(false);
  });

  test('covers what the step has others do where its author wrote it down', () => {
    const judge = ran([], { changes: [{ system: 'postgres:copy', object: 'table orders' }] });
    expect(judge.judge(seen({ proof: 'another', actor: 'psql (user postgres)' }), now).ours).toBe(true);
    expect(judge.judge(seen({ proof: 'another', actor: 'psql (user postgres)', at: second(7) }), now).ours).toBe(false);
    expect(judge.judge(seen({ proof: 'another', object: 'table accounts' }), now).ours).toBe(false);
  });
});

test('what a probe declares for an endpoint counts for every server that the endpoint has led to', () => {
  const judge = attribution([]);
  judge.take(event('probe.started', 1, { probe: 'load', uses: 'postgres.load' }));
  expect(judge.judge(seen({}), now).ours).toBe(false);
  judge.take(event('endpoint.switched', 2, { endpoint: 'app', from: 'source', to: 'copy' }));
  expect(judge.judge(seen({}), now).ours).toBe(true);
});

test('a profile lets through what fits all of its patterns, under its name', () => {
  const judge = attribution([], [{ name: 'the shop takes orders', system: 'postgres', actor: '^shop ', object: '^table orders$' }]);
  const shop = { proof: 'another', actor: 'shop (user app)' } as const;
  expect(judge.judge(seen(shop), now)).toEqual({ ours: false, allowedBy: 'shop: the shop takes orders' });
  expect(judge.judge(seen({ ...shop, object: 'table accounts' }), now).allowedBy).toBeNull();
  expect(judge.judge(seen({ ...shop, actor: null }), now).allowedBy).toBeNull();
  expect(judge.judge(seen({ ...shop, system: 'git' }), now).allowedBy).toBeNull();
});
