import { describe, expect, it } from 'vitest';
import type { EvidenceOf } from '../../../src/engine/kinds/index.js';
import { at, codes, evidence, faultAt, passing, record, restoredAt, verdictOf, type Entry, type Story } from './drill-builder.js';

type State = EvidenceOf<'cluster-state'>;

const atRest: Omit<State, 'seen'> = { cluster: 'cluster shop/orders of k8s', revision: '1', phase: 'Cluster in healthy state', reason: null, primary: 'orders-1', target: 'orders-1', members: 3, ready: 3, timeline: 1, stamps: {} };

function told(ms: number, change: Partial<State> = {}): Entry {
  return evidence(ms + 3, 'cluster-state', { ...atRest, ...change, seen: at(ms) }, 'probe:states');
}

/** Of the passing drill, whose fault is at 5000 and whose clients are back at 9210. */
function withStates(...states: Entry[]): Story {
  const story = passing();
  story.entries.push(...states);
  return story;
}

const failover = [
  told(1000),
  told(faultAt + 400, { target: null, phase: 'Failing over', ready: 2 }),
  told(faultAt + 1400, { target: 'orders-2', phase: 'Failing over', ready: 2 }),
  told(faultAt + 3400, { target: 'orders-2', primary: 'orders-2', ready: 2, timeline: 2 }),
  told(faultAt + 6400, { target: 'orders-2', primary: 'orders-2', timeline: 2 }),
];

describe('a failover', () => {
  it('is told in parts that add up to the time at which clients were served', () => {
    const { failovers, verdict } = verdictOf(withStates(...failover));
    expect(failovers).toEqual([{ cluster: atRest.cluster, from: 'orders-1', to: 'orders-2', timelines: [1, 2], detectionMs: 400, electionMs: 1000, promotionMs: 2000, reconnectionMs: restoredAt - faultAt - 3400, redundancyMs: 6400 }]);
    expect(verdict).toBe('passed');
  });

  it('goes by the order of the news, and by no time that members wrote', () => {
    const stamped = failover.map((entry) => structuredClone(entry));
    for (const { data } of stamped) (data as { data: State }).data.stamps = { currentPrimaryTimestamp: '2001-01-01T00:00:00.000000Z', targetPrimaryTimestamp: '2099-01-01T00:00:00.000000Z' };
    expect(verdictOf(withStates(...stamped.toReversed())).failovers).toEqual(verdictOf(withStates(...failover)).failovers);
  });

  it('has no part that was not seen', () => {
    const [before, noticed] = failover;
    expect(verdictOf(withStates(before as Entry, noticed as Entry)).failovers?.[0]).toMatchObject({ to: null, detectionMs: 400, electionMs: null, promotionMs: null, reconnectionMs: null, redundancyMs: null });
    expect(verdictOf(withStates(...failover.slice(1))).failovers?.[0]).toMatchObject({ from: null, to: null, detectionMs: null });
    expect(verdictOf(passing())).not.toHaveProperty('failovers');
  });

  it('may have clients back before the news of the promotion: then reconnection is not known', () => {
    const late = [...failover.slice(0, 3), told(restoredAt + 100, { target: 'orders-2', primary: 'orders-2', timeline: 2 })];
    expect(verdictOf(withStates(...late)).failovers?.[0]).toMatchObject({ promotionMs: restoredAt + 100 - faultAt - 1400, reconnectionMs: null });
  });
});

describe('a copy that an operator runs', () => {
  const archiving = (ms: number, to: string | null, connection = 'copy') => evidence(ms, 'archiving', { connection, by: 'cluster shop/copy', to, uid: 'u', revision: '1' }, 'restore');
  function archiveMode(mode: string, ...more: Entry[]): Story {
    const story = withStates(...more);
    record(story, 'wal-end').archiveMode = mode;
    return story;
  }

  it('may have archive_mode on where its operator says that it archives nowhere', () => expect(codes(verdictOf(archiveMode('on', archiving(7000, null))))).toEqual([]));

  it('has contaminated the archive where nobody, somebody else, or only what went before says so', () => {
    expect(codes(verdictOf(archiveMode('on')))).toEqual(['archive-contaminated']);
    expect(codes(verdictOf(archiveMode('on', archiving(7000, null, 'other'))))).toEqual(['archive-contaminated']);
    expect(codes(verdictOf(archiveMode('on', archiving(3000, null))))).toEqual(['archive-contaminated']);
  });

  it('has contaminated it where it says once that it archives, whatever else is said', () => {
    expect(codes(verdictOf(archiveMode('on', archiving(7000, null), archiving(7500, 's3://b'))))).toEqual(['archive-contaminated']);
    expect(codes(verdictOf(archiveMode('off', archiving(7000, 's3://b'))))).toEqual(['archive-contaminated']);
  });

  it('has no log here: that its last transaction is not known is said', () => {
    const story = passing();
    Object.assign(record(story, 'wal-end'), { replayEndLsn: null, lastCommitAt: null, logLine: '1 0/3000140 before 2026-03-01' });
    const drill = verdictOf(story);
    expect(codes(drill)).toEqual([]);
    expect(drill.notProved.join('\n')).toContain('The last transaction that copy replayed');
  });
});
