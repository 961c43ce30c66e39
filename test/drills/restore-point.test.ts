import { afterAll, expect, test } from 'vitest';
import type { Runbook } from '../../src/engine/documents.js';
import { act, after, before, drill, edit, remove, removeFolders } from './harness.js';

afterAll(removeFolders);

/** Restores all that was archived, which is what stood in two segments that were closed before the fault. */
function toTheEndOfTheArchive(runbook: Runbook): void {
  after(runbook, 'before', { id: 'first', phase: 'prepare', uses: 'postgres.switch-wal', with: { server: 'source' } }, { id: 'second', phase: 'prepare', uses: 'postgres.switch-wal', with: { server: 'source' } });
  remove(runbook, 'close-wal');
  edit(runbook, 'restore', { target: { type: 'latest' } });
  edit(runbook, 'content', { reference: 'invariants', snapshot: undefined, invariants: [{ name: 'All orders are there', sql: 'SELECT count(*) >= 2000 FROM orders' }] });
}

test('target `latest` reaches the end of the archive: passed, and the loss is what was not archived', async () => {
  const judged = await drill({
    runbook: (runbook) => {
      toTheEndOfTheArchive(runbook);
      // The ledger begins after the prepared segments: only what is archived while it writes can be recovered.
      before(runbook, 'reference', act('archived', 'inject', 'stop-archiving', ['300'], 'read'));
    },
  });
  expect(judged.drill.reasons).toEqual([]);
  expect(judged.drill.verdict).toBe('passed');
  expect(judged.drill.rpo.lost).toBeGreaterThan(0);
  expect(judged.drill.rpo.valueMs).toBeGreaterThan(300);
});

test('target beyond the archived WAL: step-failed', async () => {
  const judged = await drill({ runbook: (runbook) => edit(runbook, 'restore', { target: { type: 'time', value: '2099-01-01T00:00:00Z' } }) });
  expect(judged.drill.verdict).toBe('failed');
  expect(judged.codes).toContain('step-failed');
  expect(judged.why('step-failed')).toContain('recovery ended before configured recovery target was reached');
});

test('target inside the backup, where PostgreSQL 18 promotes silently: wrong-restore-point', async () => {
  const judged = await drill({
    runbook: (runbook) => {
      edit(runbook, 'restore', { target: { type: 'time', value: '{{ steps.backup.startedAt }}' }, backup: '{{ steps.backup.name }}' });
    },
  });
  expect(judged.drill.steps.find(({ id }) => id === 'restore')?.status).toBe('succeeded');
  expect(judged.drill.verdict).toBe('failed');
  expect(judged.codes).toContain('wrong-restore-point');
  expect(judged.why('wrong-restore-point')).toContain('the target lies before the end of the backup');
});

test('a WAL segment missing with target `latest`: wrong-restore-point', async () => {
  const judged = await drill({
    runbook: (runbook) => {
      toTheEndOfTheArchive(runbook);
      after(runbook, 'second', act('lost', 'prepare', 'remove-segment', ['{{ steps.first.segment }}']));
    },
  });
  expect(judged.drill.steps.find(({ id }) => id === 'restore')?.status).toBe('succeeded');
  expect(judged.drill.verdict).toBe('failed');
  expect(judged.codes).toContain('wrong-restore-point');
  expect(judged.why('wrong-restore-point')).toMatch(/replay ended at .*, the source had archived up to/);
});

test('restored to a moment after the bad deploy, and patched until clients are served: wrong-restore-point', async () => {
  const judged = await drill({
    runbook: (runbook) => {
      edit(runbook, 'restore', { target: { type: 'time', value: '{{ steps.after.at }}' } });
      before(runbook, 'switch', { id: 'patch', phase: 'cutover', uses: 'postgres.sql', with: { server: 'copy', sql: 'CREATE TABLE orders (id bigint)', effect: 'create' } });
    },
  });
  expect(judged.drill.rto.status).toBe('met');
  expect(judged.drill.verdict).toBe('failed');
  expect(judged.codes).toContain('content-differs');
});

test('only the backup is restored: the rows written since are lost and counted', async () => {
  const judged = await drill({ runbook: (runbook) => edit(runbook, 'restore', { target: { type: 'immediate' } }) });
  expect(judged.drill.verdict).toBe('failed');
  expect(judged.codes).toContain('wrong-restore-point');
  expect(judged.why('wrong-restore-point')).toContain('should be present and is absent');
  expect(judged.drill.rpo.status).not.toBe('met');
});

test('the copy made to archive into the archive of its source: archive-contaminated', async () => {
  const judged = await drill({ runbook: (runbook) => after(runbook, 'restore', act('adopted', 'restore', 'archive-again', ['copy'])) });
  expect(judged.drill.verdict).toBe('failed');
  expect(judged.codes).toEqual(['archive-contaminated']);
  expect(judged.why('archive-contaminated')).toMatch(/the restored copy archives \(archive_mode is on\)/);
  expect(judged.why('archive-contaminated')).toMatch(/files of a timeline above the source's 1: .*00000002\.history/);
});

/** An earlier drill's copy that archives: its branch stands in the archive of the source. */
function withEarlierDrill(runbook: Runbook): void {
  runbook.requires['earlier'] = 'postgres';
  const restore = { repository: 'backups', into: 'earlier', target: { type: 'immediate' } };
  after(
    runbook,
    'before',
    { id: 'closed', phase: 'prepare', uses: 'postgres.switch-wal', with: { server: 'source' } },
    { id: 'earlier-restore', phase: 'prepare', uses: 'postgres.restore', with: restore },
    { id: 'earlier-end', phase: 'prepare', uses: 'postgres.wal-end', with: { server: 'earlier' } },
    act('earlier-archives', 'prepare', 'archive-again', ['earlier']),
  );
}

const earlier = { kind: 'postgres', role: 'target', provision: 'restored-postgres' } as const;

test('recovery along the timeline of an earlier drill: wrong-timeline', async () => {
  const judged = await drill({
    environment: ({ connections }) => (connections['earlier'] = earlier),
    runbook: (runbook) => {
      withEarlierDrill(runbook);
      // What `latest` follows there goes on beyond the target: PostgreSQL is content.
      before(runbook, 'restore', act('earlier-goes-on', 'restore', 'archive', ['earlier']));
      edit(runbook, 'restore', { timeline: 'latest' });
    },
  });
  expect(judged.drill.steps.find(({ id }) => id === 'restore')?.status).toBe('succeeded');
  expect(judged.drill.verdict).toBe('failed');
  expect(judged.codes).toContain('wrong-timeline');
  expect(judged.why('wrong-timeline')).toContain('the copy came through timeline 2, the source was on timeline 1');
});

test('the shipped runbook keeps to the timeline of the source though an earlier drill left its branch', async () => {
  const judged = await drill({
    environment: ({ connections }) => (connections['earlier'] = earlier),
    runbook: withEarlierDrill,
  });
  expect(judged.drill.reasons).toEqual([]);
  expect(judged.drill.verdict).toBe('passed');
  expect(judged.evidence('wal-end').map(({ connection, timeline }) => [connection, timeline])).toEqual([['earlier', 2], ['copy', 3]]);
});
