import { existsSync, mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { main } from '../../src/cli/main.js';
import { capture } from '../report/lib/drills.js';

const run = '20261120T000000Z-pitr-restore-abcdef';
let cwd = '';
let folder = '';

beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'muster-half-'));
  folder = join(cwd, 'state', 'runs', run);
  mkdirSync(folder, { recursive: true });
});
afterEach(() => rmSync(cwd, { recursive: true }));

const muster = async (...args: string[]) => {
  const { out, io } = capture(cwd);
  return { code: await main(args, io), ...out };
};

it('a run that died before anything was made is told so, and its folder goes', async () => {
  writeFileSync(join(folder, 'plan.json'), '{}');
  expect((await muster('ps')).stdout).toMatch(/never began +(npx )?muster cleanup/);
  const resumed = await muster('resume', run);
  expect(resumed).toMatchObject({ code: 3 });
  expect(resumed.stderr).toContain('never began');
  expect(resumed.stderr).not.toContain('internal error');
  const cleaned = await muster('cleanup', 'abcdef');
  expect(cleaned).toMatchObject({ code: 0 });
  expect(cleaned.stderr).toContain('made nothing');
  expect(existsSync(folder)).toBe(false);
});

it('a run that made something and whose run.json is gone is not touched, and says where to look', async () => {
  writeFileSync(join(folder, 'journal.jsonl'), '');
  for (const command of ['cleanup', 'resume', 'attach']) {
    const { code, stderr } = await muster(command, run);
    expect(code, command).toBe(3);
    expect(stderr).toContain('is damaged');
    expect(stderr).toContain(join(folder, 'journal.jsonl'));
  }
  expect(existsSync(folder)).toBe(true);
});

it('help shows what a command takes, and knows no other', async () => {
  expect(await muster('help', 'verify')).toMatchObject({ code: 0, stdout: expect.stringContaining('--allowed-signers') });
  expect((await muster('help')).stdout).toContain('Usage: muster');
  const unknown = await muster('help', 'nosuch');
  expect(unknown).toMatchObject({ code: 2, stderr: expect.stringContaining("unknown command 'nosuch'") });
});
