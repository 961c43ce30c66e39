import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { openBundle } from '../../../src/evidence/bag.js';
import type { Sealer } from '../../../src/evidence/seal.js';
import { sampleRun, type SampleOptions, type SampleRun } from './sample.js';

/** A folder of its own for one test file. */
export async function workFolder(): Promise<{ path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'muster-evidence-'));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

/** Writes a real bundle of a sample run into `folder`; resolves to its path. */
export async function writeSample(folder: string, options: SampleOptions = {}, sealer?: Sealer): Promise<{ path: string; run: SampleRun }> {
  const run = sampleRun(options);
  const logsDir = join(folder, 'logs');
  await mkdir(logsDir, { recursive: true });
  await writeFile(join(logsDir, 'restore.log'), 'copied 42 files\n');
  const writer = await openBundle(join(folder, 'evidence'), run.runId);
  const { path, seal } = await writer.finish({ ...run, logsDir, ...(sealer === undefined ? {} : { sealer }) });
  if (seal !== null && 'error' in seal) throw seal.error;
  return { path, run };
}

/** A copy that a test may damage. */
export async function copyOf(bundle: string, name: string): Promise<string> {
  const copy = `${bundle}-${name}`;
  await rm(copy, { recursive: true, force: true });
  await cp(bundle, copy, { recursive: true });
  return copy;
}

export function filesOf(folder: string, within = folder): string[] {
  return readdirSync(within).flatMap((name) => {
    const path = join(within, name);
    return statSync(path).isDirectory() ? filesOf(folder, path) : [relative(folder, path)];
  }).toSorted();
}

/** What an attacker does who knows BagIt: both manifests and the oxum fit the files again. */
export function recomputeManifests(bundle: string): void {
  const line = (path: string) => `${createHash('sha256').update(readFileSync(join(bundle, path))).digest('hex')}  ${path}\n`;
  const payload = filesOf(bundle).filter((path) => path.startsWith('data/'));
  writeFileSync(join(bundle, 'manifest-sha256.txt'), payload.map(line).join(''));
  const info = readFileSync(join(bundle, 'bag-info.txt'), 'utf8');
  const bytes = payload.reduce((sum, path) => sum + statSync(join(bundle, path)).size, 0);
  writeFileSync(join(bundle, 'bag-info.txt'), info.replace(/Payload-Oxum: .*/, `Payload-Oxum: ${bytes}.${payload.length}`));
  writeFileSync(join(bundle, 'tagmanifest-sha256.txt'), ['README.txt', 'bag-info.txt', 'bagit.txt', 'manifest-sha256.txt'].map(line).join(''));
}

/** Runs the commands of README.txt as they are printed, in a shell that finds standard tools and no Node. */
export function runReadme(bundle: string, env: Readonly<Record<string, string>> = {}): { code: number | null; stdout: string; stderr: string } {
  const tools = mkdtempSync(join(tmpdir(), 'muster-tools-'));
  try {
    for (const tool of ['sh', 'find', 'sort', 'xargs', 'sha256sum', 'diff', 'cmp', 'grep', 'cut', 'head', 'tail', 'tr', 'ls', 'sed', 'awk', 'wc', 'cat', 'base64', 'mktemp', 'rm', 'ssh-keygen', 'openssl']) {
      const found = (process.env['PATH'] ?? '').split(':').map((folder) => join(folder, tool)).find((path) => existsSync(path));
      if (found !== undefined) symlinkSync(found, join(tools, tool));
    }
    const commands = readFileSync(join(bundle, 'README.txt'), 'utf8').split('\n').filter((line) => line.startsWith('    '));
    const { status, stdout, stderr } = spawnSync('/bin/sh', ['-e', '-c', commands.join('\n')], { cwd: bundle, env: { ...env, PATH: tools }, encoding: 'utf8' });
    return { code: status, stdout, stderr };
  } finally {
    rmSync(tools, { recursive: true, force: true });
  }
}
