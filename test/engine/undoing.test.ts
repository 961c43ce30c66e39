import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCleanups, type CleanupFailure, type PendingCleanup } from '../../src/engine/cleanup.js';
import { bootId, systemClock } from '../../src/engine/clock.js';
import { GuardError } from '../../src/engine/errors.js';
import { openJournal } from '../../src/engine/journal.js';
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
