import { appendFileSync, mkdtempSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { AuditFile } from '../../../src/clients/audit/file.js';
import { auditEvent, hearing, type Heard } from './lib.js';

const folder = mkdtempSync(join(tmpdir(), 'muster-audit-'));
afterAll(() => rmSync(folder, { recursive: true }));

let files = 0;
const line = (id: string) => `${JSON.stringify(auditEvent(id, { user: { username: 'älice' } }))}\n`;
const ids = (heard: Heard) => heard.events.map(({ auditID }) => auditID);

async function begun(content = line('before')): Promise<{ readonly path: string; readonly source: AuditFile; readonly heard: Heard }> {
  const path = join(folder, `audit-${(files += 1)}.log`);
  writeFileSync(path, content);
  const source = new AuditFile(path);
  const heard = hearing();
  await source.begin(heard);
  return { path, source, heard };
}

test('what is written from now on is told, each event once, however it is cut into pieces', async () => {
  const { path, source, heard } = await begun();
  const bytes = Buffer.from(line('a') + line('b'));
  for (const end of [10, 300, bytes.length - 1]) {
    writeFileSync(path, Buffer.concat([Buffer.from(line('before')), bytes.subarray(0, end)]));
    await source.read();
  }
  expect(ids(heard)).toEqual(['a']);
  appendFileSync(path, bytes.subarray(bytes.length - 1));
  await source.read();
  await source.read();
  await source.end();
  expect(ids(heard)).toEqual(['a', 'b']);
  expect(heard.events[0]?.user?.username).toBe('älice');
  expect(heard.losses).toEqual([]);
});

test('a log that is rotated is followed, from the end of the old file to the new one', async () => {
  const { path, source, heard } = await begun();
  appendFileSync(path, line('old'));
  renameSync(path, `${path}.1`);
  await source.read();
  appendFileSync(`${path}.1`, line('last of the old'));
  writeFileSync(path, line('first of the new'));
  await source.read();
  await source.end();
  expect(ids(heard)).toEqual(['old', 'last of the old', 'first of the new']);
  expect(heard.losses).toEqual([]);
});

test('a log that was emptied, a line that is no event and half a line are losses', async () => {
  const { path, source, heard } = await begun();
  appendFileSync(path, `no JSON\n{"auditID":5}\n{"half":`);
  await source.read();
  expect(heard.losses).toEqual([expect.stringContaining('is no audit event'), expect.stringContaining('is no audit event')]);
  truncateSync(path);
  await source.read();
  await source.end();
  expect(heard.losses.slice(2)).toEqual([expect.stringContaining('was cut or begun anew'), expect.stringContaining('last line')]);
});

test('a file that is not there can be no source', async () => {
  const source = new AuditFile(join(folder, 'none.log'));
  await expect(source.check()).rejects.toThrow(/none\.log cannot be read: ENOENT/);
  await expect(source.begin(hearing())).rejects.toMatchObject({ code: 'audit-unreadable' });
});
