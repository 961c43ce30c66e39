import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'vite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pendingCleanups, runCleanups } from '../../src/engine/cleanup.js';
import { bootId, systemClock } from '../../src/engine/clock.js';
import { openJournal, readJournal } from '../../src/engine/journal.js';
import { Redactor } from '../../src/engine/redact.js';
import { resumeState } from '../../src/engine/resume.js';
import { registryOf } from './fixtures/definitions.js';
import { eventsOf, filePorts, tempDir } from './fixtures/drill.js';

let dir: string;
beforeAll(async () => {
  dir = await tempDir();
  const entry = join(import.meta.dirname, 'fixtures', 'child.ts');
  await build({ configFile: false, logLevel: 'silent', ssr: { noExternal: true }, build: { ssr: entry, outDir: join(dir, 'bin'), target: 'node20', rollupOptions: { output: { entryFileNames: 'child.mjs' } } } });
});
afterAll(async () => {
  await rm(dir, { recursive: true, force: true });
});

/** Runs the drill in another process. `shell` goes before it. */
async function child(work: string, killAfter: number, shell = ''): Promise<{ signal: NodeJS.Signals | null; stdout: string }> {
  const started = spawn('/bin/sh', ['-c', `${shell} exec "$0" "$@"`, process.execPath, join(dir, 'bin', 'child.mjs'), work, String(killAfter)], { stdio: ['ignore', 'pipe', 'inherit'] });
  let stdout = '';
  started.stdout.setEncoding('utf8').on('data', (chunk: string) => (stdout += chunk));
  const [, signal] = (await once(started, 'close')) as [number | null, NodeJS.Signals | null];
  return { signal, stdout };
}

/** What `muster cleanup` does with the journal of a run whose process is gone. */
async function cleanUp(work: string): Promise<{ ran: number; failures: readonly unknown[] }> {
  const journal = await openJournal(join(work, 'run', 'journal.jsonl'), { boot: bootId(), redactor: new Redactor() });
  const { pending, world, run } = resumeState(journal.found.events);
  await journal.append('run.resumed', { host: 'h', operator: 'tester', cut: journal.found.cut });
  const failures = await runCleanups({ pending, world, runId: run ?? '', registry: registryOf(), bindPorts: filePorts, guard: { check: () => {} }, journal, clock: systemClock(), log: () => {} });
  await journal.close();
  return { ran: pending.length, failures };
}

const things = ['connection-a', 'connection-b', 'one', 'two', 'three', 'four'];
const left = (work: string) => things.filter((name) => existsSync(join(work, name)));

describe('a run killed by SIGKILL', () => {
  it('after any of its events is cleaned up from its journal by another process, and a second time does nothing', { timeout: 300_000 }, async () => {
    await child(join(dir, 'whole'), 0);
    const { events } = await readJournal(join(dir, 'whole', 'run', 'journal.jsonl'));
    expect(left(join(dir, 'whole'))).toEqual([]);
    let undone = 0;
    // Every second event from 1 on, and the last: each is a different act that was or was not done.
    for (let seq = 1; seq <= events.length; seq += 2) {
      const work = join(dir, `killed-${seq}`);
      expect((await child(work, seq)).signal).toBe('SIGKILL');
      undone += left(work).length;
      expect(await cleanUp(work)).toMatchObject({ failures: [] });
      expect(left(work)).toEqual([]);
      expect((await cleanUp(work)).ran).toBe(0);
      await readJournal(join(work, 'run', 'journal.jsonl'));
    }
    expect(undone).toBeGreaterThan(10);
  });

  it('leaves a journal that says what had begun, what was done and whether the fault was sent', async () => {
    const { events } = await readJournal(join(dir, 'whole', 'run', 'journal.jsonl'));
    const fault = events.findIndex(({ type }) => type === 'fault.sent');
    const state = resumeState(events.slice(0, fault));
    expect(state).toMatchObject({ run: 'run-1', fault: null, finished: false, verified: false, cancelled: false });
    expect([...state.outputs.keys()]).toEqual(['one']);
    expect([...state.interrupted].sort()).toEqual(['three', 'two']);
    expect(state.pending.map(({ step }) => step)).toContain('provision:a');
    expect(resumeState(events.slice(0, fault + 1)).fault?.data.kind).toBe('injected');
    expect(resumeState(events)).toMatchObject({ finished: true, verified: true, pending: [], interrupted: [] });
  });
});

describe('a disk that fills up during the run', () => {
  it('stops the run, which still cleans up, and leaves a journal of whole lines', async () => {
    const work = join(dir, 'full');
    // 4 KiB files: 8 blocks of 512 bytes. The journal cannot take the whole run.
    const { stdout } = await child(work, 0, 'ulimit -f 8;');
    expect(JSON.parse(stdout)).toMatchObject({ completed: false, cancelled: false, journalError: expect.stringMatching(/cannot write the journal .*EFBIG/) });
    expect(left(work)).toEqual([]);
    const { events, cut } = await readJournal(join(work, 'run', 'journal.jsonl'));
    expect(cut).toBe(false);
    expect(eventsOf(events, 'run.finished')).toEqual([]);
    expect((await readFile(join(work, 'run', 'journal.jsonl'))).length).toBeLessThanOrEqual(4096);
  });
});

describe('pendingCleanups', () => {
  it('owes what failed again and insists on the identity', async () => {
    const work = await tempDir();
    const path = join(work, 'thing');
    const journal = await openJournal(join(work, 'journal.jsonl'), { boot: 'b', redactor: new Redactor() });
    const call = { uses: 'fixture.make/remove', with: { path, order: join(work, 'order') } };
    const events = [
      await journal.append('cleanup.deferred', { id: 'c1', ...call }, { step: 'a' }),
      await journal.append('cleanup.confirmed', { id: 'c1', identity: { inode: 1 } }, { step: 'a' }),
      await journal.append('cleanup.deferred', { id: 'c2', uses: 'gone.type/remove', with: {} }),
      await journal.append('cleanup.finished', { id: 'c1', ok: false, error: 'x' }),
    ];
    expect(pendingCleanups(events)).toEqual([{ id: 'c2', uses: 'gone.type/remove', with: {} }, { id: 'c1', ...call, identity: { inode: 1 }, step: 'a' }]);
    await writeFile(path, 'of someone else, under the same name');
    const failures = await runCleanups({ pending: pendingCleanups(events), world: resumeState([]).world, runId: 'r', registry: registryOf(), bindPorts: filePorts, guard: { check: () => {} }, journal, clock: systemClock(), log: () => {} });
    expect(failures).toEqual([{ id: 'c2', uses: 'gone.type/remove', error: expect.stringContaining('no cleanup gone.type/remove') }]);
    expect(await readdir(work)).toContain('thing');
    await journal.close();
    await rm(work, { recursive: true });
  });
});
