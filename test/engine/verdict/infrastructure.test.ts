import { describe, expect, it } from 'vitest';
import Value from 'typebox/value';
import { DrillSchema } from '../../../src/engine/drill.js';
import { criticalPath } from '../../../src/engine/units.js';
import { codes, data, drop, dropType, entry, evidence, objectives, passing, record, step, utc, verdictOf, type Story } from './drill-builder.js';

const unit = (name: string, from: number, to: number, after: string[] = [], more: { result?: string; reason?: string; cause?: string } = {}) =>
  entry(7900, 'unit.finished', { unit: name, started: utc(from), ended: utc(to), result: more.result ?? 'succeeded', reason: more.reason ?? null, cause: more.cause ?? null, after }, 'restore');

/** Two units are built, held against their code, and found as it says; nobody is served by them. */
function rebuild(): Story {
  const story = passing();
  const { binding } = story.plan;
  story.runbook.fault = binding.fault = 'declared';
  for (const one of data(story, 'fault.sent')) one.kind = 'declared';
  drop(story, ({ type, data: one }) => type === 'evidence.recorded' && !['isolation', 'production-fingerprint', 'residue', 'health-checks'].includes((one as { kind: string }).kind));
  dropType(story, 'probe.sample', 'ledger.row', 'ledger.recovered', 'archive.sample', 'endpoint.switched');
  binding.probes = [];
  binding.requiredEvidence = ['infrastructure-code', 'drift'];
  story.runbook.evidence = { require: ['infrastructure-code', 'drift'] };
  binding.steps = binding.steps.map((node) => (node.kind === 'step' && node.id === 'restore' ? step('restore', 'restore', { effect: 'modify', changes: [{ system: 'infrastructure:stack', object: '*' }] }) : node));
  objectives(story, 60_000, 0);
  const units = [{ unit: 'network', after: [] }, { unit: 'cluster', after: ['network'] }];
  const code = { connection: 'stack', commit: 'c0ffee', differing: [], digest: 'd', units };
  story.entries.push(
    evidence(6010, 'infrastructure-code', structuredClone(code), 'restore'),
    unit('network', 6100, 7000),
    unit('cluster', 7010, 7800, ['network']),
    evidence(9150, 'infrastructure-code', structuredClone(code), 'healthy'),
    evidence(9160, 'infrastructure-state', { connection: 'stack', when: 'applied', units: units.map(({ unit: name }) => ({ unit: name, lineage: `lineage-${name}`, serial: 3, resources: 2 })) }, 'healthy'),
    evidence(9170, 'drift', { connection: 'stack', units: units.map(({ unit: name }) => ({ unit: name, exitCode: 0, differences: [], outputs: [] })) }, 'healthy'),
  );
  return story;
}

describe('a rebuild from code', () => {
  it('has recovered with its last gate, and lost nothing of what its code says', () => {
    const drill = verdictOf(rebuild());
    expect(drill.reasons).toEqual([]);
    expect(drill.rto).toMatchObject({ status: 'met', valueMs: 4500, gateMs: 4500, restoredMs: null, outageMs: null });
    expect(drill.rpo).toMatchObject({ status: 'met', valueMs: 0, basis: 'code', lost: null });
    expect(drill.units).toEqual([
      { step: 'restore', unit: 'network', startMs: 6100, durationMs: 900, result: 'succeeded', reason: null, after: [], critical: true },
      { step: 'restore', unit: 'cluster', startMs: 7010, durationMs: 790, result: 'succeeded', reason: null, after: ['network'], critical: true },
    ]);
    expect(drill.notProved.join('\n')).toContain('a loss with basis code counts infrastructure only');
    expect(Value.Check(DrillSchema, drill)).toBe(true);
  });

  it('without a gate has no end that anybody saw', () => {
    const story = rebuild();
    for (const node of story.plan.binding.steps) if (node.kind === 'step') node.gate = false;
    expect(codes(verdictOf(story))).toEqual(['rto-not-measured']);
  });

  it('fails by the address of what was changed by hand, and its loss is then unknown', () => {
    const story = rebuild();
    Object.assign(record(story, 'drift').units[1] ?? {}, { exitCode: 2, differences: [{ address: 'aws_eks_cluster.main', actions: ['update'], attributes: ['version'] }], outputs: ['endpoint'] });
    const drill = verdictOf(story);
    expect(drill.verdict).toBe('failed');
    expect(drill.reasons.filter(({ code }) => code === 'undocumented-change').map(({ detail }) => detail)).toEqual(['infrastructure:stack: cluster: aws_eks_cluster.main (update version) is not as its code says', 'infrastructure:stack: cluster: output endpoint is not as its code says']);
    expect(drill.rpo).toMatchObject({ status: 'not-measured', whyNotMeasured: 'not as its code says, or not told: cluster' });
  });

  it.each([
    ['code that was not committed', (story: Story) => void record(story, 'infrastructure-code', 1).differing.push('cluster/main.tf'), 'its code is not what was committed: cluster/main.tf'],
    ['code in no repository', (story: Story) => [0, 1].forEach((which) => (record(story, 'infrastructure-code', which).commit = null)), 'its code is in no repository'],
    ['code that changed meanwhile', (story: Story) => void (record(story, 'infrastructure-code', 1).digest = 'e'), 'its code changed during the drill'],
    ['a unit without a state', (story: Story) => void record(story, 'infrastructure-state').units.pop(), 'no state with lineage and serial was read of cluster'],
    ['a unit that was not held against its code', (story: Story) => void record(story, 'drift').units.pop(), 'not as its code says, or not told: cluster'],
    ['something built after it was looked at', (story: Story) => void story.entries.push({ ...unit('cluster', 9200, 9300), at: 9300 }), 'nothing was held against its code after the last change'],
  ])('%s: loss is not measured', (_name, change, why) => {
    const story = rebuild();
    change(story);
    expect(verdictOf(story).rpo).toMatchObject({ status: 'not-measured', valueMs: null, whyNotMeasured: why });
  });

  it('is not clean where a unit came through by a retry or an ignored error, unless the runbook says so', () => {
    const story = rebuild();
    story.entries.push(unit('queue', 7000, 7100, [], { reason: 'retry succeeded' }), unit('mail', 7000, 7100, [], { reason: 'error ignored', cause: 'never_mind' }));
    const restore = story.plan.binding.steps.find((node) => node.kind === 'step' && node.id === 'restore');
    if (restore?.kind === 'step') restore.with = { tolerate: [{ unit: 'queue', reason: 'retry succeeded' }, { unit: 'mail', reason: 'retry succeeded' }] };
    expect(verdictOf(story).reasons).toEqual([{ code: 'step-failed', step: 'restore', detail: 'unit mail is not clean: error ignored (never_mind)' }]);
  });

  it('tells where drift could not be told', () => {
    const story = rebuild();
    Object.assign(record(story, 'drift').units[0] ?? {}, { exitCode: 1, detail: 'excluded: exclude block' });
    expect(codes(verdictOf(story))).toEqual(['rpo-not-measured', 'evidence-missing']);
  });

  it('does not take what comes up beside a served system for its recovery', () => {
    const story = rebuild();
    story.runbook.fault = story.plan.binding.fault = 'injected';
    for (const one of data(story, 'fault.sent')) one.kind = 'injected';
    expect(verdictOf(story).rto.whyNotMeasured).toBe('the plan has no availability probe');
    // Where nothing is served at all, the last gate is the only end that there is.
    story.plan.binding.environment.endpoints = {};
    dropType(story, 'endpoint.opened');
    expect(verdictOf(story).rto).toMatchObject({ status: 'met', valueMs: 4500, gateMs: 4500 });
  });

  it('counts an apply that may replace as building, whatever its effect', () => {
    const story = rebuild();
    story.plan.binding.steps = story.plan.binding.steps.map((node) => (node.kind === 'step' && node.id === 'restore' ? { ...node, uses: 'terraform.apply', effect: 'destroy' } : node));
    story.entries.push({ ...unit('cluster', 9200, 9300), at: 9300 });
    expect(verdictOf(story).rpo.whyNotMeasured).toBe('nothing was held against its code after the last change');
  });
});

describe('criticalPath', () => {
  const at = (name: string, from: number, to: number, after: string[] = [], result = 'succeeded') => ({ unit: name, started: utc(from), ended: utc(to), result, after });

  it('goes from what ended last back to what it waited for longest', () => {
    expect(criticalPath([at('network', 0, 10), at('keys', 0, 30), at('cluster', 30, 60, ['network', 'keys']), at('cache', 10, 50, ['network'])])).toEqual(['keys', 'cluster']);
  });

  it('leaves out what did nothing, and ends in a circle', () => {
    expect(criticalPath([at('a', 0, 10, ['b']), at('b', 0, 9, ['a']), at('late', 50, 90, [], 'excluded')])).toEqual(['b', 'a']);
    expect(criticalPath([])).toEqual([]);
  });
});
