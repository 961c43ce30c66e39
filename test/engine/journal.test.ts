import { openSync, writeSync } from 'node:fs';
import { appendFile, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sha256 } from '../../src/engine/canonical.js';
import type { DrillEvent } from '../../src/engine/events.js';
import { JournalError, openJournal, parseJournal, readJournal, type Journal } from '../../src/engine/journal.js';
import { Redactor } from '../../src/engine/redact.js';
import { tempDir } from './fixtures/drill.js';

let dir: string;
let path: string;
beforeEach(async () => {
  dir = await tempDir();
  path = join(dir, 'journal.jsonl');
});
afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

const open = (onEvent?: (event: DrillEvent) => void, redactor = new Redactor()) => openJournal(path, { boot: 'boot-1', redactor, ...(onEvent === undefined ? {} : { onEvent }) });
const cancel = (journal: Journal, by: string) => journal.append('cancel.requested', { by });
const sample = (n: number) => ({ type: 'ledger.row', data: { probe: 'ledger', store: 's', n, sent: { at: '', mono: '1' }, acked: null } }) as const;

describe('a journal', () => {
  it('chains its lines by the sha256 of the line before', async () => {
    const journal = await open();
    await journal.append('step.started', { uses: 'x', with: {} }, { step: 'a', parent: 'branch' });
    await cancel(journal, 'me');
    await journal.close();
    const [first = '', second = ''] = (await readFile(path, 'utf8')).split('\n');
    expect(JSON.parse(first)).toMatchObject({ seq: 1, boot: 'boot-1', step: 'a', parent: 'branch', prev: '0'.repeat(64), type: 'step.started' });
    expect(JSON.parse(second)).toMatchObject({ seq: 2, prev: sha256(first) });
    expect(Object.keys(JSON.parse(first))).toEqual(['seq', 'at', 'mono', 'boot', 'step', 'parent', 'prev', 'type', 'data']);
  });

  it('has a line on disk when its append resolves, and keeps the order of concurrent ones and samples', async () => {
    const seen: number[] = [];
    const journal = await open((event) => seen.push(event.seq));
    const appends = Array.from({ length: 50 }, async (_, index) => {
      if (index % 3 === 0) journal.sample(sample(index + 1));
      const { seq } = await cancel(journal, `n${index}`);
      expect(parseJournal(await readFile(path, 'utf8')).events[seq - 1]).toMatchObject({ seq, data: { by: `n${index}` } });
    });
    await Promise.all(appends);
    await journal.close();
    const { events } = await readJournal(path);
    expect(events.map(({ seq }) => seq)).toEqual(Array.from({ length: 67 }, (_, index) => index + 1));
    expect(seen).toEqual(events.map(({ seq }) => seq));
    expect(events.filter(({ type }) => type === 'cancel.requested').map(({ data }) => 'by' in data && data.by)).toEqual(Array.from({ length: 50 }, (_, index) => `n${index}`));
  });

  it('flushes samples and notes by itself', async () => {
    let flushed = () => {};
    const done = new Promise<void>((resolve) => (flushed = resolve));
    const journal = await open(({ seq }) => seq === 2 && flushed());
    journal.sample(sample(1));
    journal.note('cancel.requested', { by: 'a' });
    await done;
    expect((await readJournal(path)).events).toHaveLength(2);
    await journal.close();
  });

  it('has notes on disk, in order, once the append after them resolves', async () => {
    const journal = await open();
    expect(journal.note('cancel.requested', { by: 'a' })).toMatchObject({ seq: 1, data: { by: 'a' } });
    journal.note('cancel.requested', { by: 'b' });
    await cancel(journal, 'c');
    expect(parseJournal(await readFile(path, 'utf8')).events.map(({ data }) => 'by' in data && data.by)).toEqual(['a', 'b', 'c']);
    await journal.close();
    expect(() => journal.note('cancel.requested', { by: 'd' })).toThrow(JournalError);
  });

  it('cuts a torn last line and goes on from the one before', async () => {
    const first = await open();
    await cancel(first, 'a');
    await first.close();
    await appendFile(path, '{"seq":2,"at":"20');
    const again = await open();
    expect(again.found).toMatchObject({ cut: true, events: [{ seq: 1 }] });
    await again.append('run.resumed', { host: 'h', operator: 'o', cut: again.found.cut });
    await again.close();
    expect(await readJournal(path)).toMatchObject({ cut: false, events: [{ seq: 1 }, { seq: 2, type: 'run.resumed', data: { cut: true } }] });
  });

  it.each([
    ['a changed byte', (lines: string[]) => lines.map((line, index) => (index === 1 ? line.replace('"n1"', '"nX"') : line)), 3],
    ['a missing line', (lines: string[]) => lines.filter((_, index) => index !== 1), 2],
    ['a line that is no event', (lines: string[]) => lines.map((line, index) => (index === 2 ? '{}' : line)), 3],
    ['lines in another order', ([a = '', b = '', ...rest]: string[]) => [b, a, ...rest], 1],
  ])('tells where the chain breaks: %s', async (_name, tamper, seq) => {
    const journal = await open();
    for (let index = 0; index < 4; index += 1) await cancel(journal, `n${index}`);
    await journal.close();
    const lines = (await readFile(path, 'utf8')).trimEnd().split('\n');
    const text = `${tamper(lines).join('\n')}\n`;
    expect(() => parseJournal(text)).toThrow(expect.objectContaining({ name: 'JournalError', seq }));
    await writeFile(path, text);
    await expect(open()).rejects.toThrow(JournalError);
  });

  it('redacts what steps and people say, never its own vocabulary', async () => {
    const redactor = new Redactor();
    for (const secret of ['postgres', 'hunter2-hunter2', '123456']) redactor.add(secret);
    const journal = await open(undefined, redactor);
    await journal.append('step.started', { uses: 'postgres.sql', with: { password: 'hunter2-hunter2', pin: 123456, text: 'as postgres' } }, { step: 'postgres' });
    await journal.append('evidence.recorded', { kind: 'residue', data: { left: [{ system: 'x', object: 'hunter2-hunter2' }] } });
    await journal.append('fault.sent', { kind: 'injected', instant: { at: '2026-01-01T00:00:00Z', mono: '1234567890' }, detail: 'password=hunter2-hunter2' });
    await expect(journal.append('cleanup.deferred', { id: 'c1', uses: 'postgres.x/y', with: { url: 'postgres://u:hunter2-hunter2@h' } })).rejects.toThrow(/sensitive/);
    await journal.append('cleanup.deferred', { id: 'c1', uses: 'postgres.x/y', with: { user: 'postgres' } });
    await journal.close();
    const { events } = await readJournal(path);
    expect(events.map(({ data }) => data)).toEqual([
      { uses: 'postgres.sql', with: { password: '[redacted]', pin: '[redacted]', text: 'as [redacted]' } },
      { kind: 'residue', data: { left: [{ system: 'x', object: '[redacted]' }] } },
      { kind: 'injected', instant: { at: '2026-01-01T00:00:00Z', mono: '1234567890' }, detail: 'password=[redacted]' },
      { id: 'c1', uses: 'postgres.x/y', with: { user: 'postgres' } },
    ]);
    expect(events[0]?.step).toBe('postgres');
  });
});

describe('a journal beside another writer of its file', () => {
  it('does not hide that the chain is broken', async () => {
    const journal = await open();
    await cancel(journal, 'a');
    writeSync(openSync(path, 'a'), `${JSON.stringify({ seq: 2, prev: '0'.repeat(64), type: 'cancel.requested', data: { by: 'intruder' } })}\n`);
    await cancel(journal, 'b');
    await journal.close();
    await expect(readJournal(path)).rejects.toThrow(/seq 2 \(line 2\)/);
  });
});
