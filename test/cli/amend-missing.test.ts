import { expect, test } from 'vitest';
import { missingSteps } from '../../src/cli/amend/missing.js';
import type { DrillEvent, EventDataOf } from '../../src/engine/events.js';
import { drillOf } from '../engine/fixtures/drill.js';

type Observed = EventDataOf<'watch.observed'>;

const { binding } = drillOf({ steps: [], connections: { copy: { kind: 'postgres', role: 'target', provision: 'restored-postgres', with: {}, does: '' } } }).plan;
const observed = (seq: number, more: Pick<Observed, 'change'> & Partial<Observed>): DrillEvent => ({
  seq, at: `2026-11-20T07:00:0${seq}.000Z`, mono: '1', boot: '', prev: '', type: 'watch.observed',
  data: { watcher: 'postgres', object: 'copy: setting work_mem', actor: null, ours: false, allowedBy: null, scope: 'recovery-path', ...more },
});
const seen = { change: 'setting changed', before: '4096', after: '8192' };
const edited = { watcher: 'directory', change: 'postgresql.auto.conf edited', before: null, after: '8MB' };

test.each([[[seen, edited]], [[edited, seen]]])('a setting becomes a step with the value as it was written, whoever saw it first', (changes) => {
  const [step, ...more] = missingSteps(binding, changes.map((change, index) => observed(index + 1, change)));
  expect(more).toEqual([]);
  expect(step?.step).toMatchObject({ uses: 'postgres.sql', with: { server: 'copy', sql: "ALTER SYSTEM SET work_mem = '8MB'" } });
});

test('where only the server was looked at, with the value as the server counts it', () => {
  expect(missingSteps(binding, [observed(1, seen)])[0]?.step.with).toMatchObject({ sql: "ALTER SYSTEM SET work_mem = '8192'" });
});
