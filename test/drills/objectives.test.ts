import { afterAll, expect, test } from 'vitest';
import { act, before, drill, edit, remove, removeFolders, removeProbes } from './harness.js';

afterAll(removeFolders);

test('an RTO target of 1 ms: rto-missed', async () => {
  const judged = await drill({ runbook: (runbook) => (runbook.objectives.rto = '1ms') });
  expect(judged.drill.verdict).toBe('failed');
  expect(judged.codes).toEqual(['rto-missed']);
  expect(judged.drill.rto.valueMs).toBeGreaterThan(1);
});

test('archiving stopped longer before the fault than the RPO allows, restored to the last archived LSN: rpo-missed', async () => {
  const judged = await drill({
    runbook: (runbook) => {
      runbook.objectives.rpo = '2s';
      before(runbook, 'reference', act('unarchived', 'inject', 'stop-archiving', ['2500'], 'read'));
      remove(runbook, 'close-wal');
      edit(runbook, 'restore', { target: { type: 'lsn', value: '{{ steps.unarchived.json.lsn }}' } });
      edit(runbook, 'content', { reference: 'invariants', snapshot: undefined, invariants: [{ name: 'All orders are there', sql: 'SELECT count(*) >= 2000 FROM orders' }] });
    },
  });
  expect(judged.drill.verdict).toBe('failed');
  expect(judged.codes).toEqual(['rpo-missed']);
  expect(judged.drill.rpo.valueMs).toBeGreaterThan(2500);
  expect(judged.drill.rpo.lost).toBeGreaterThan(5);
});

test('nobody writes in the seconds before the fault: rpo-not-measured', async () => {
  const judged = await drill({ runbook: (runbook) => before(runbook, 'reference', act('idle', 'inject', 'idle', ['2100'], 'read')) });
  expect(judged.drill.verdict).toBe('incomplete');
  expect(judged.codes).toEqual(['rpo-not-measured']);
  expect(judged.why('rpo-not-measured')).toContain('an idle store shows no loss');
});

test('rows that were written though nobody was told are no fault: passed', async () => {
  const judged = await drill({ runbook: (runbook) => before(runbook, 'reference', act('unheard', 'inject', 'unacknowledged', [], 'read')) });
  expect(judged.drill.reasons).toEqual([]);
  expect(judged.drill.verdict).toBe('passed');
  expect(judged.drill.rpo.stores.map(({ unacknowledgedPresent }) => unacknowledgedPresent)).toEqual([expect.toSatisfy((rows: number) => rows >= 1)]);
});

test('a required kind of evidence that nothing delivers: evidence-missing', async () => {
  const judged = await drill({ runbook: (runbook) => runbook.evidence?.require.push('isolation') });
  expect(judged.drill.verdict).toBe('incomplete');
  expect(judged.codes).toEqual(['evidence-missing']);
  expect(judged.why('evidence-missing')).toBe('no step delivered evidence of kind isolation');
});

test('the comparison taken out of the runbook: evidence-missing', async () => {
  const judged = await drill({ runbook: (runbook) => remove(runbook, 'content') });
  expect(judged.drill.verdict).toBe('incomplete');
  expect(judged.codes).toEqual(['evidence-missing']);
  expect(judged.drill.notProved.join('\n')).toContain('Content not proved');
});

test('probes, restore point and every demand for evidence taken out: still incomplete, each for its reason', async () => {
  const judged = await drill({
    runbook: (runbook) => {
      removeProbes(runbook, 'availability', 'ledger', 'archive');
      remove(runbook, 'noticed', 'wal-end', 'content');
      delete runbook.evidence;
    },
  });
  expect(judged.drill.verdict).toBe('incomplete');
  expect(judged.codes).toEqual(['rto-not-measured', 'rpo-not-measured', 'evidence-missing']);
  expect(judged.why('rto-not-measured')).toContain('no availability probe');
});

test('a fault that breaks nothing: rto-not-measured', async () => {
  const judged = await drill({
    runbook: (runbook) => {
      edit(runbook, 'bad-deploy', { sql: 'CREATE TABLE harmless (id bigint)', identifiers: undefined, effect: 'create' });
      remove(runbook, 'noticed');
    },
  });
  expect(judged.drill.verdict).toBe('incomplete');
  expect(judged.codes).toEqual(['rto-not-measured']);
});

test('no cutover: the lost table is made anew, empty, where it was, while the copy is sound: not passed', async () => {
  const judged = await drill({
    runbook: (runbook) => {
      before(runbook, 'switch', { id: 'patch', phase: 'cutover', uses: 'postgres.sql', with: { server: 'source', sql: 'CREATE TABLE orders (id bigint)', effect: 'create' } });
      remove(runbook, 'switch');
    },
  });
  expect(judged.drill.steps.filter(({ status }) => status !== 'succeeded')).toEqual([]);
  expect(judged.drill.verdict).toBe('incomplete');
  expect(judged.codes).toEqual(['evidence-missing']);
});

test('cutover to a server that is not the restored copy: not passed', async () => {
  const judged = await drill({
    environment: ({ connections }) => (connections['other'] = { kind: 'postgres', role: 'target', provision: 'embedded-postgres' }),
    runbook: (runbook) => {
      runbook.requires['other'] = 'postgres';
      before(runbook, 'backup', { id: 'other-seed', phase: 'prepare', uses: 'postgres.seed', with: { server: 'other', table: 'orders', rows: 1000 } });
      edit(runbook, 'switch', { to: 'other' });
    },
  });
  expect(judged.drill.steps.find(({ id }) => id === 'healthy')?.status).toBe('succeeded');
  expect(judged.drill.verdict).not.toBe('passed');
  expect(judged.drill.rpo.status).not.toBe('met');
});

test('a step that does not end: step-timed-out; a step for which nobody answers: manual-unanswered', async () => {
  const [late, unanswered] = [
    await drill({ runbook: (runbook) => before(runbook, 'switch', { id: 'late', phase: 'restore', uses: 'wait', with: { for: '1h' }, timeout: '200ms' }) }),
    await drill({ runbook: (runbook) => before(runbook, 'switch', { id: 'ask', phase: 'restore', uses: 'manual', with: { instructions: 'Look at it.', changes: [] } }) }),
  ];
  expect(late.drill.verdict).toBe('failed');
  expect(late.codes).toContain('step-timed-out');
  expect(unanswered.codes).toContain('manual-unanswered');
});
