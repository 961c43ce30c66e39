import Value from 'typebox/value';
import { describe, expect, it } from 'vitest';
import { DrillSchema } from '../../../src/engine/drill.js';
import { at, codes, data, drop, dropType, entry, evidence, faultAt, objectives, passing, probe, record, utc, verdictOf, type Story } from './drill-builder.js';

const healthy = (story: Story, from: number, value: boolean, to = 99_000) => {
  for (const one of data(story, 'probe.sample')) if (one.sent.at >= utc(from) && one.sent.at < utc(to)) Object.assign(one, { read: value, write: value });
};
const kind = (story: Story, fault: 'declared' | 'planned') => {
  story.runbook.fault = fault;
  story.plan.binding.fault = fault;
  for (const one of data(story, 'fault.sent')) one.kind = fault;
};

describe('a declared fault', () => {
  it('says that production was not cut over, and needs no baseline', () => {
    const story = passing();
    kind(story, 'declared');
    healthy(story, 0, false, 9200);
    const drill = verdictOf(story);
    expect(drill.verdict).toBe('passed');
    expect(drill.rto).toMatchObject({ title: 'recovery time, isolated copy; production cutover not exercised', valueMs: 4500 });
    expect(drill.notProved).toContain('Production cutover: the copy was restored beside the living system.');
  });

  it('does not take the living system for the copy', () => {
    const story = passing();
    kind(story, 'declared');
    healthy(story, 0, true);
    dropType(story, 'endpoint.switched');
    expect(codes(verdictOf(story))).toEqual(['rto-not-measured', 'rpo-not-measured']);
  });

  it('counts from the scenario\'s earlier time, and asks for samples only from then on when it was marked', () => {
    const story = passing();
    kind(story, 'declared');
    for (const one of data(story, 'fault.sent')) one.instant = at(-3_600_000);
    const drill = verdictOf(story);
    expect(drill.rto.valueMs).toBe(3_600_000 + 9500);
    expect(codes(drill)).toEqual(['rto-missed', 'rpo-not-measured']);
  });
});

describe('a planned switchover', () => {
  it('may go unnoticed: no outage', () => {
    const story = passing();
    kind(story, 'planned');
    healthy(story, 0, true);
    for (const one of data(story, 'ledger.row')) one.acked ??= at(one.n * 100 + 1955);
    for (const one of data(story, 'ledger.recovered')) one.ranges = [[1, 100]];
    const drill = verdictOf(story);
    expect(drill.reasons).toEqual([]);
    expect(drill.rto).toMatchObject({ firstFailedMs: null, outageMs: 0, gateMs: 4500, valueMs: 4500 });
    expect(drill.rpo).toMatchObject({ lost: 0, status: 'met' });
  });
});

describe('several availability probes', () => {
  it('are as good as the worst', () => {
    const story = passing();
    story.plan.binding.probes.push(probe('second', 'availability'));
    for (const one of story.entries.filter(({ type }) => type === 'probe.sample')) {
      const sample = one.data as { sent: { at: string } };
      const ok = sample.sent.at < utc(faultAt) || sample.sent.at >= utc(9800);
      story.entries.push({ ...one, data: { ...sample, probe: 'second', read: ok, write: ok } });
    }
    expect(verdictOf(story).rto).toMatchObject({ restoredMs: 4810, valueMs: 4810, outageMs: 4810 });
  });
});

describe('restored', () => {
  it('is the start of the last healthy run, not of the first', () => {
    const story = passing();
    healthy(story, 9600, false, 9700);
    expect(verdictOf(story).rto).toMatchObject({ restoredMs: 4710, valueMs: 4710 });
  });

  it('is not earlier than the switch to the store that serves in the end', () => {
    const story = passing();
    healthy(story, 5300, true);
    expect(verdictOf(story).rto).toMatchObject({ firstFailedMs: 0, restoredMs: 4110 });
  });
});

describe('a source that nobody may write', () => {
  const sampled = (): Story => {
    const story = passing();
    story.plan.binding.probes = story.plan.binding.probes.map((one) => (one.id === 'ledger' ? probe('lsn', 'lsn') : one));
    dropType(story, 'ledger.row', 'ledger.recovered');
    for (let index = 0; index < 40; index += 1) {
      const ms = 2000 + index * 100 + 1;
      story.entries.push(entry(ms, 'lsn.sample', { probe: 'lsn', store: 'source', instant: at(ms), lsn: `0/${(0x2ff_fa00 + index * 0x40).toString(16).toUpperCase()}` }));
    }
    return story;
  };

  it('is measured by the last sample within what was replayed', () => {
    // The copy reached 0/3000140: sample 29 (4901 ms) has 0/3000140, the next lies beyond it.
    const drill = verdictOf(sampled());
    expect(drill.rpo).toMatchObject({ status: 'met', basis: 'samples', valueMs: 99, lost: null });
    expect(drill.rpo.stores[0]).toMatchObject({ lost: null, recovered: null, discarded: null });
    expect(Value.Errors(DrillSchema, drill)).toEqual([]);
  });

  it('is not measured when idle', () => {
    const story = sampled();
    for (const one of data(story, 'lsn.sample')) one.lsn = '0/3000000';
    expect(codes(verdictOf(story))).toEqual(['rpo-not-measured']);
  });

  it('cannot show that no row is lost unless all up to the fault was replayed', () => {
    const story = sampled();
    objectives(story, 60_000, 0);
    expect(codes(verdictOf(story))).toEqual(['rpo-not-measured']);
    record(story, 'wal-end').history = [{ timeline: 1, switchLsn: '0/4000000' }];
    expect(verdictOf(story).rpo).toMatchObject({ status: 'met', valueMs: 0, lost: null });
  });
});

describe('without ledger and samples', () => {
  it('derives the loss from the last commit replayed, and labels it', () => {
    const story = passing();
    story.plan.binding.probes = story.plan.binding.probes.filter(({ id }) => id !== 'ledger');
    dropType(story, 'ledger.row', 'ledger.recovered');
    const drill = verdictOf(story);
    expect(drill.rpo).toMatchObject({ basis: 'derived', valueMs: 345, lost: null, status: 'met' });
    expect(drill.notProved).toContain('Loss counted in rows: no ledger was kept.');
  });
});

describe('a volume that was made from a snapshot', () => {
  const swapped = (startedMs: number) => {
    const story = passing();
    kind(story, 'declared');
    story.plan.binding.probes = story.plan.binding.probes.filter(({ id }) => id !== 'ledger');
    story.plan.binding.requiredEvidence = [];
    dropType(story, 'ledger.row', 'ledger.recovered');
    story.entries = story.entries.filter(({ type, data: of }) => type !== 'evidence.recorded' || !['backup', 'restore-target', 'wal-end'].includes((of as { kind: string }).kind));
    const snapshot = { connection: 'aws', snapshot: 'snap-1', origin: 'schedule', startedAt: utc(startedMs), owner: '123456789012', state: 'completed', tier: 'standard', volume: 'vol-1', sizeGiB: 8, encrypted: true, rule: 'the newest', seed: null } as const;
    const other = { ...snapshot, snapshot: 'snap-0', startedAt: utc(4000) };
    const swap = { connection: 'cluster', workload: 'StatefulSet shop/db', claim: 'shop/data-db-0', from: 'vol-1', to: 'vol-2', snapshot: 'snap-1', zone: 'eu-central-1a' } as const;
    story.entries.push(evidence(6100, 'volume-snapshot', snapshot, 'restore'), evidence(6150, 'volume-snapshot', other, 'restore'), evidence(6200, 'volume', { connection: 'aws', volume: 'vol-2', snapshot: 'snap-1', zone: 'eu-central-1a', type: 'gp3', sizeGiB: 8, encrypted: true }, 'restore'), evidence(7900, 'volume-swap', swap, 'restore'));
    story.entries.sort((a, b) => a.at - b.at);
    return story;
  };

  it('holds data as old as the StartTime of the snapshot that it came from, and of no other', () => {
    const story = swapped(faultAt - 40_000);
    objectives(story, 60_000, 60_000);
    expect(verdictOf(story).rpo).toMatchObject({ basis: 'derived', valueMs: 40_000, lost: null, status: 'met', stores: [{ store: 'shop/data-db-0', lastRecoveredAckAt: utc(faultAt - 40_000) }] });
  });

  it('misses the objective with an older snapshot', () => {
    const story = swapped(faultAt - 61_000);
    objectives(story, 60_000, 60_000);
    expect(codes(verdictOf(story))).toContain('rpo-missed');
  });

  it('is measured by nothing where no evidence says when its snapshot was taken', () => {
    const story = swapped(faultAt - 40_000);
    objectives(story, 60_000, 60_000);
    record(story, 'volume-swap').snapshot = 'snap-2';
    const drill = verdictOf(story);
    expect(drill.rpo).toMatchObject({ valueMs: null, status: 'not-measured' });
    expect(codes(drill)).toContain('rpo-not-measured');
  });

  it('proves no schedule where the drill made the snapshot itself', () => {
    const story = swapped(faultAt - 40_000);
    story.plan.binding.environment.sandbox = false;
    record(story, 'volume-snapshot').origin = 'drill';
    expect(codes(verdictOf(story))).toContain('backup-made-by-drill');
  });
});

describe('objectives', () => {
  it('may be absent: the figures stand without a status', () => {
    const story = passing();
    objectives(story, null, null);
    expect(verdictOf(story)).toMatchObject({ verdict: 'passed', rto: { status: 'no-objective', valueMs: 4500 }, rpo: { status: 'no-objective', valueMs: 345 } });
  });

  it('are missed by a ledger of which nothing was recovered, when that alone is too much', () => {
    const story = passing();
    objectives(story, 60_000, 1000);
    for (const one of data(story, 'ledger.recovered')) one.ranges = [[73, 100]];
    expect(codes(verdictOf(story))).toEqual(['rpo-missed']);
    expect(verdictOf(story).rpo).toMatchObject({ status: 'missed', valueMs: null });
  });

  it('cannot be forgotten together with the fault', () => {
    const story = passing();
    objectives(story, null, null);
    dropType(story, 'fault.sent');
    expect(codes(verdictOf(story))).toEqual(['partial-run']);
  });

  it('are not held against a store that nobody lost: the endpoint never left it', () => {
    const story = passing();
    dropType(story, 'endpoint.switched');
    healthy(story, 0, true);
    drop(story, (one) => one.type === 'evidence.recorded' && (one.data as { kind: string }).kind === 'restore-target');
    for (const one of data(story, 'ledger.row')) one.acked ??= at(one.n * 100 + 1955);
    for (const one of data(story, 'ledger.recovered')) Object.assign(one, { ranges: [[1, 100]], timeline: 1 });
    expect(codes(verdictOf(story))).toEqual(['rto-not-measured', 'rpo-not-measured', 'evidence-missing']);
  });
});
