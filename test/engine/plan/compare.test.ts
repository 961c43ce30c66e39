import { describe, expect, it } from 'vitest';
import { comparePlans } from '../../../src/engine/plan/compare.js';
import { flattenSteps, type PlanBinding, type PlanStep } from '../../../src/engine/plan-document.js';
import { differenceLine } from '../../../src/report/plan-diff.js';
import { drillOf } from '../fixtures/drill.js';

type Open<T> = { -readonly [K in keyof T]: T[K] };

function binding(): PlanBinding {
  const { plan } = drillOf({
    steps: [{ id: 'make', uses: 'a.b', phase: 'prepare' }, { id: 'break', uses: 'a.b', phase: 'inject', effect: 'modify' }, { id: 'mend', uses: 'a.b', phase: 'restore', selection: { what: 'backup', from: 'backups:b', rule: 'newest', maxAgeMs: 1_000, pin: true, pinned: 'one' } }, { id: 'look', uses: 'a.b', phase: 'verify', gate: true }],
    probes: [{ id: 'ledger', uses: 'a.p', with: {} }],
    connections: { source: { kind: 'postgres', role: 'production', provision: 'existing-postgres', with: { host: 'db' }, does: '' } },
  });
  const found = structuredClone(plan.binding);
  found.objectives = { rtoMs: 60_000, rpoMs: 0 };
  found.requiredEvidence = ['backup', 'wal-end'];
  found.environment.boundary = { hosts: ['db'] };
  found.environment.forbidden = ['prod:5432'];
  found.environment.approvals = { required: 2, by: ['a', 'b'] };
  found.environment.watch = { required: ['postgres'], advisory: [] };
  return found;
}

function step(of: PlanBinding, id: string): Open<PlanStep> {
  const found = flattenSteps(of.steps).find((placed) => placed.step.id === id)?.step;
  if (found === undefined) throw new Error(id);
  return found;
}

const lines = (change: (after: PlanBinding) => void): string[] => {
  const after = binding();
  change(after);
  return comparePlans(binding(), after).map(differenceLine);
};

describe('what a reviewer sees between two plans', () => {
  it('is nothing when they say the same, wherever HEAD was', () => {
    expect(lines(() => undefined)).toEqual([]);
    const git = (commit: string) => ({ commit, path: 'r.yaml', tracked: true, clean: true });
    const [one, other] = [binding(), binding()];
    one.runbook.git = git('a'.repeat(40));
    other.runbook.git = git('b'.repeat(40));
    expect(comparePlans(one, other)).toEqual([]);
    other.runbook.git = { ...git('b'.repeat(40)), clean: false };
    expect(comparePlans(one, other).map(differenceLine)).toEqual(['~ runbook: git.clean true -> false']);
  });

  it.each<[string, (after: PlanBinding) => void, string[]]>([
    ['an objective that is loosened', (after) => (after.objectives.rtoMs = 90_000), ['~ objectives: rtoMs 1m 00s -> 1m 30s (! the objective is loosened)']],
    ['an objective that is dropped', (after) => (after.objectives.rpoMs = null), ['~ objectives: rpoMs 0.00 s -> none (! the objective is dropped)']],
    ['an objective that is tightened', (after) => (after.objectives.rtoMs = 30_000), ['~ objectives: rtoMs 1m 00s -> 30.0 s']],
    ['an effect that is raised', (after) => (step(after, 'break').effect = 'destroy'), ['~ step break: effect modify -> destroy (! the effect is raised)']],
    ['an effect that is lowered', (after) => (step(after, 'break').effect = 'read'), ['~ step break: effect modify -> read']],
    ['a timeout', (after) => (step(after, 'mend').timeoutMs = 120_000), ['~ step mend: timeoutMs 1m 00s -> 2m 00s']],
    ['an argument', (after) => (step(after, 'mend').with = { into: 'copy' }), ['+ step mend: with.into + copy']],
    ['a wider boundary', (after) => (after.environment.boundary = { hosts: ['db', 'other'], commands: ['rm'] }), ['+ boundary: hosts + other (! the boundary is widened)', '+ boundary: commands + rm (! the boundary is widened)']],
    ['a forbidden address that is gone', (after) => (after.environment.forbidden = []), ['- forbidden: removed: prod:5432 (! no longer shown to be out of reach)']],
    ['a watcher that is no longer required', (after) => (after.environment.watch = { required: [], advisory: ['postgres'] }), ['- watch: required - postgres (! no longer watched by force)', '+ watch: advisory + postgres (! more actors are let through)']],
    ['fewer approvals, by more people', (after) => (after.environment.approvals = { required: 1, by: ['a', 'b', 'c'] }), ['~ approvals: required 2 -> 1 (! fewer people must approve)', '+ approvals: by + c (! more people may approve)']],
    ['a production that may be written', (after) => (after.environment.connections['source'] = { kind: 'postgres', role: 'source', provision: 'existing-postgres', with: { host: 'db' }, does: '' }), ['~ connection source: role production -> source (! production is no longer read-only)']],
    ['a connection that leads elsewhere', (after) => (after.environment.connections['source'] = { kind: 'postgres', role: 'production', provision: 'existing-postgres', with: { host: 'other' }, does: '' }), ['~ connection source: with.host db -> other (! it leads to another system)']],
    ['evidence that is no longer required', (after) => (after.requiredEvidence = ['backup']), ['- required evidence: removed: wal-end (! evidence is no longer required)']],
    ['a probe that is gone', (after) => (after.probes = []), ['- probe ledger: removed: a.p (! less is measured)']],
    ['a rule with wider bounds, and no pin', (after) => (step(after, 'mend').selection = { what: 'backup', from: 'backups:b', rule: 'newest', maxAgeMs: 2_000, pin: false, pinned: null }), ['~ step mend: selection.maxAgeMs 1.00 s -> 2.00 s (! older ones are allowed)', '~ step mend: selection.pin true -> false (! no longer pinned)', '~ step mend: selection.pinned one -> none']],
    ['a gate that is gone', (after) => void after.steps.pop(), ['- step look: removed: a.b, read:  (! recovery no longer waits for it)']],
    ['a step that moved', (after) => void after.steps.splice(0, 2, ...after.steps.slice(0, 2).toReversed()), ['> step make: moved after break']],
  ])('shows %s', (_what, change, expected) => expect(lines(change)).toEqual(expected));

  it('shows a new step that destroys, once, and not those around it', () => {
    expect(lines((after) => after.steps.splice(1, 0, { ...step(after, 'break'), kind: 'step', id: 'wipe', effect: 'destroy', does: 'wipes' }))).toEqual(['+ step wipe: added: a.b, destroy: wipes (! it destroys)']);
  });
});
