import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BundleError, openBundle } from '../../src/evidence/bag.js';
import { verifyBundle } from '../../src/evidence/verify.js';
import { copyOf, filesOf, runReadme, workFolder, writeSample } from './lib/bundle.js';
import { sampleRun } from './lib/sample.js';

const run = promisify(execFile);
let folder: Awaited<ReturnType<typeof workFolder>>;
let bundle: string;
beforeAll(async () => {
  folder = await workFolder();
  bundle = (await writeSample(folder.path)).path;
});
afterAll(() => folder.remove());

describe('a bundle', () => {
  it('is a sound BagIt bag with the files that the design names', async () => {
    expect(filesOf(bundle)).toEqual([
      'README.txt', 'bag-info.txt', 'bagit.txt', 'data/drill.json', 'data/environment.yaml', 'data/events.jsonl', 'data/evidence.schema.json', 'data/evidence/backup.json', 'data/evidence/clock.json', 'data/evidence/health-checks.json', 'data/evidence/reconciliation.json',
      'data/evidence/reference.json', 'data/evidence/residue.json', 'data/evidence/restore-target.json', 'data/evidence/wal-end.json', 'data/logs/restore.log', 'data/plan.json', 'data/report.html', 'data/runbook.yaml',
      'manifest-sha256.txt', 'tagmanifest-sha256.txt',
    ]);
    const { defects, drill } = await verifyBundle(bundle);
    expect(defects).toEqual([]);
    expect(drill?.rto.valueMs).toBeGreaterThan(7000);
  });

  it('passes sha256sum -c on both manifests', async () => {
    await run('sha256sum', ['--check', '--strict', 'manifest-sha256.txt'], { cwd: bundle });
    await run('sha256sum', ['--check', '--strict', 'tagmanifest-sha256.txt'], { cwd: bundle });
  });

  it('is the same, byte for byte, when the same run is written again', async () => {
    const again = await workFolder();
    try {
      const other = (await writeSample(again.path)).path;
      expect(readFileSync(join(other, 'tagmanifest-sha256.txt'), 'utf8')).toBe(readFileSync(join(bundle, 'tagmanifest-sha256.txt'), 'utf8'));
    } finally {
      await again.remove();
    }
  });
});

describe('the commands in README.txt', () => {
  it('run as they are, find nothing wrong, and say that nobody has signed', () => {
    expect(readFileSync(join(bundle, 'README.txt'), 'utf8').match(/^ {4}\S/gm)?.length).toBeGreaterThan(10);
    expect(runReadme(bundle)).toEqual({ code: 0, stdout: 'UNSIGNED: nobody vouches for this bundle\n', stderr: '' });
  });

  it.each([
    ['a changed log', (path: string) => writeFileSync(join(path, 'data/logs/restore.log'), 'copied 43 files\n')],
    ['a planted file in data/', (path: string) => writeFileSync(join(path, 'data/planted'), '')],
    ['a planted file beside it', (path: string) => writeFileSync(join(path, 'planted'), '')],
    ['a changed tag file', (path: string) => writeFileSync(join(path, 'bagit.txt'), 'BagIt-Version: 0.97\n')],
  ])('find %s', async (name, damage) => {
    const copy = await copyOf(bundle, `readme-${name.replaceAll(/\W/g, '-')}`);
    damage(copy);
    expect(runReadme(copy).code).toBe(1);
  });
});

describe('writing', () => {
  it('proves before the run that the folder can be written, and names it when it cannot', async () => {
    const file = join(folder.path, 'a-file');
    writeFileSync(file, '');
    await expect(openBundle(file, 'run-1')).rejects.toThrow(BundleError);
    await expect(openBundle(file, 'run-1')).rejects.toThrow(file);
  });

  it('shows no bundle until it is whole, and leaves nothing of one that was abandoned', async () => {
    const dir = join(folder.path, 'abandoned');
    const writer = await openBundle(dir, 'run-2');
    expect(readdirSync(dir)).toEqual(['.run-2.partial']);
    await writer.abandon();
    expect(existsSync(dir)).toBe(false);
    // A folder that was there before stays, empty as it was.
    mkdirSync(dir);
    await (await openBundle(dir, 'run-2')).abandon();
    expect(readdirSync(dir)).toEqual([]);
  });

  it('writes evidence while the run goes on, and says when that fails', async () => {
    const dir = join(folder.path, 'early');
    const sample = sampleRun();
    const backups = sample.events.filter((event) => event.type === 'evidence.recorded').filter((event) => event.data.kind === 'backup');
    const writer = await openBundle(dir, sample.runId);
    await writer.recordEvidence('backup', backups);
    const early = readFileSync(join(dir, `.${sample.runId}.partial`, 'data', 'evidence', 'backup.json'), 'utf8');
    expect(early).toBe(readFileSync(join(bundle, 'data', 'evidence', 'backup.json'), 'utf8'));
    mkdirSync(join(dir, `.${sample.runId}.partial`, 'data', 'evidence', 'wal-end.json'));
    await expect(writer.recordEvidence('wal-end', [])).rejects.toThrow(/wal-end\.json/);
    // What failed during the run may work at its end: the bundle is written from the journal alone.
    const { path } = await writer.finish({ ...sample, logsDir: null });
    expect((await verifyBundle(path)).defects).toEqual([]);
  });

  it('never writes over a bundle that is there', async () => {
    const sample = sampleRun();
    await expect(openBundle(join(folder.path, 'evidence'), sample.runId)).rejects.toThrow(/already/);
  });

  it('leaves nothing half-written when the end fails', async () => {
    const dir = join(folder.path, 'late');
    const sample = sampleRun();
    const writer = await openBundle(dir, sample.runId);
    mkdirSync(join(dir, sample.runId));
    await expect(writer.finish({ ...sample, logsDir: null })).rejects.toThrow(BundleError);
    expect(readdirSync(dir)).toEqual([sample.runId]);
    expect(readdirSync(join(dir, sample.runId))).toEqual([]);
  });

  it('keeps logs under names that every system takes', async () => {
    const logsDir = join(folder.path, 'odd-logs');
    mkdirSync(logsDir);
    for (const name of ['probe:ledger.log', 'probe_ledger.log', 'a b.log']) writeFileSync(join(logsDir, name), name);
    const sample = sampleRun();
    const writer = await openBundle(join(folder.path, 'odd'), sample.runId);
    const { path } = await writer.finish({ ...sample, logsDir });
    expect(readdirSync(join(path, 'data', 'logs')).toSorted()).toEqual(['a_b.log', 'probe_ledger-2.log', 'probe_ledger.log']);
    expect((await verifyBundle(path)).defects).toEqual([]);
  });
});
