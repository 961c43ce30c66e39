import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCleanups, type CleanupFailure, type PendingCleanup } from '../../src/engine/cleanup.js';
import { bootId, systemClock } from '../../src/engine/clock.js';
import { GuardError } from '../../src/engine/errors.js';
import { openJournal, readJournal } from '../../src/engine/journal.js';
import { Redactor } from '../../src/engine/redact.js';
import { LiveWorld } from '../../src/engine/world.js';
import { filePorts } from './fixtures/drill.js';
import { registryOf } from './fixtures/definitions.js';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'muster-undo-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

/** With a guard that lets nothing pass. */
async function undo(cleanup: Omit<PendingCleanup, 'id' | 'uses'>): Promise<CleanupFailure[]> {
  const journal = await openJournal(join(dir, 'journal.jsonl'), { boot: bootId(), redactor: new Redactor() });
  try {
    return await runCleanups({
      pending: [{ id: 'c1', uses: 'fixture.make/remove', ...cleanup }],
      runId: 'run-1',
      registry: registryOf(),
      world: new LiveWorld(),
      bindPorts: filePorts,
      guard: {
        check() {
          throw new GuardError('outside the boundary');
        },
      },
      journal,
      clock: systemClock(),
      log: () => undefined,
    });
  } finally {
    await journal.close();
  }
}

it('a cleanup whose login is refused waits for people, and its time stands still', async () => {
  const path = join(dir, 'made');
  writeFileSync(path, '');
  const file = join(dir, 'journal.jsonl');
  const journal = await openJournal(file, { boot: bootId(), redactor: new Redactor() });
  const failures = await runCleanups({
    pending: [{ id: 'c1', uses: 'fixture.make/remove', with: { path, order: join(dir, 'order') }, identity: { inode: statSync(path).ino } }],
    runId: 'run-1',
    registry: registryOf(),
    world: new LiveWorld(),
    bindPorts(scope) {
      const { files } = filePorts(scope);
      return { ...filePorts(scope), files: { ...files, remove: async (...args) => ((await scope.renew?.('db.example refuses me')) === true ? files.remove(...args) : undefined) } };
    },
    guard: { check: () => undefined },
    journal,
    clock: systemClock(),
    log: () => undefined,
    timeoutMs: 100,
    renewCredentials: (_, signal) => pause(200, 'ann', { signal }),
  });
  await journal.close();
  expect(failures).toEqual([]);
  expect(existsSync(path)).toBe(false);
  const { events } = await readJournal(file);
  expect(events.filter(({ type }) => type.startsWith('human.')).map(({ type, step }) => `${type} ${step}`)).toEqual(['human.asked cleanup:c1', 'human.began cleanup:c1', 'human.done cleanup:c1']);
});

describe('the boundary and a cleanup', () => {
  it('what the run made, by the inode that it noted, is removed whatever the boundary says', async () => {
    const path = join(dir, 'made');
    writeFileSync(path, '');
    expect(await undo({ with: { path, order: join(dir, 'order') }, identity: { inode: statSync(path).ino } })).toEqual([]);
    expect(existsSync(path)).toBe(false);
  });

  it('what the run only meant to make is not: it may be somebody else\'s', async () => {
    const path = join(dir, 'not-ours');
    writeFileSync(path, '');
    expect(await undo({ with: { path, order: join(dir, 'order') } })).toEqual([{ id: 'c1', uses: 'fixture.make/remove', error: 'outside the boundary' }]);
    expect(existsSync(path)).toBe(true);
  });
});
