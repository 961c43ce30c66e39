import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { expectNothingLeft, removeFolders, run, scratch } from './harness.js';

const mounted: string[] = [];
afterEach(() => {
  for (const folder of mounted.splice(0)) execFileSync('umount', [folder]);
});
afterAll(removeFolders);

/** A small file system of its own. Throws where that is not allowed. */
async function tmpfs(options: string): Promise<string> {
  const folder = join(await scratch(), 'mount');
  await mkdir(folder);
  execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'muster-test', folder], { stdio: ['ignore', 'ignore', 'pipe'] });
  mounted.push(folder);
  return folder;
}

async function mayMount(): Promise<boolean> {
  if (process.platform !== 'linux' || process.geteuid?.() !== 0) return false;
  try {
    execFileSync('umount', [await tmpfs('size=64k')]);
    mounted.splice(0);
    return true;
  } catch {
    return false;
  }
}

const mounting = await mayMount();
if (!mounting) process.stderr.write('NOT RUN: drills whose evidence folder is read-only or full need a mount, which only root may make\n');

async function expectRefused(evidenceDir: string, uid?: number): Promise<void> {
  const drilled = await run({ evidenceDir, ...(uid === undefined ? {} : { uid }) });
  expect(drilled.code, drilled.stderr).toBe(3);
  expect(drilled.stderr).toContain('Give another folder with --evidence-dir');
  expect(drilled.bundle).toBeNull();
  expect(drilled.runId === null || !drilled.stderr.includes('Prepare')).toBe(true);
  expectNothingLeft({ ...drilled, evidenceDir: drilled.folder });
}

test('an evidence folder below a file: exit 3 before anything is started', async () => {
  const folder = await scratch();
  await writeFile(join(folder, 'file'), 'in the way\n');
  await expectRefused(join(folder, 'file', 'evidence'));
});

test.runIf(process.geteuid?.() === 0)('an evidence folder that an unprivileged user may not write: exit 3', async () => {
  const folder = await scratch();
  await mkdir(join(folder, 'evidence'));
  await chmod(join(folder, 'evidence'), 0o555);
  await expectRefused(join(folder, 'evidence'), 65534);
  expect(readdirSync(join(folder, 'evidence'))).toEqual([]);
});

describe.runIf(mounting)('mounts', () => {
  test('a read-only evidence folder: exit 3, also for root', async () => {
    await expectRefused(join(await tmpfs('size=64k,ro'), 'evidence'));
  });

  test('an evidence folder that is full during the run: evidence-write-failed, and no bundle', async () => {
    const evidenceDir = await tmpfs('size=32k');
    const drilled = await run({ evidenceDir });
    expect(drilled.code, drilled.stderr).toBe(1);
    expect(drilled.stdout).toContain('FAILED');
    expect(drilled.stdout).toContain('evidence-write-failed');
    expect(drilled.bundle).toBeNull();
    expect(readdirSync(evidenceDir)).toEqual([]);
    expect(existsSync(drilled.folder)).toBe(true);
  });
});
