import { afterAll, expect, test } from 'vitest';
import { act, after, before, drill, removeFolders } from './harness.js';

afterAll(removeFolders);

test('a flipped byte in a heap page of the backup: content-differs', async () => {
  const judged = await drill({
    runbook: (runbook) => {
      // Hint bits are written now, so that no full page image in the WAL heals the page.
      before(runbook, 'backup', { id: 'settled', phase: 'prepare', uses: 'postgres.sql', with: { server: 'source', sql: "SELECT pg_relation_filepath('orders') AS file, count(*)::int AS rows FROM orders", effect: 'read', output: { file: 'file' } } });
      after(runbook, 'backup', act('rot', 'prepare', 'flip-byte', ['{{ steps.settled.values.file }}']));
    },
  });
  expect(judged.drill.verdict).toBe('failed');
  // The gate counts the rows and meets the page too.
  expect(judged.codes).toEqual(['step-failed', 'content-differs', 'rto-not-measured']);
  expect(judged.why('content-differs')).toMatch(/^copy: table orders: .*invalid page/m);
});

test('rows missing from one table, and one row changed in another: content-differs', async () => {
  const judged = await drill({
    runbook: (runbook) =>
      before(
        runbook,
        'content',
        { id: 'lose', phase: 'restore', uses: 'postgres.sql', with: { server: 'copy', sql: 'DELETE FROM orders WHERE id IN (SELECT id FROM orders ORDER BY id LIMIT 3)', effect: 'destroy', expect: { rowCount: 3 } } },
        { id: 'spoil', phase: 'restore', uses: 'postgres.sql', with: { server: 'copy', sql: 'UPDATE accounts SET balance = balance + 1 WHERE id = (SELECT min(id) FROM accounts)', effect: 'modify', expect: { rowCount: 1 } } },
      ),
  });
  expect(judged.drill.verdict).toBe('failed');
  expect(judged.codes).toEqual(['content-differs']);
  expect(judged.why('content-differs').split('\n').toSorted()).toEqual(['copy: table accounts: same number of rows, other content', expect.stringMatching(/^copy: table orders has \d+ rows, expected \d+$/)]);
});
