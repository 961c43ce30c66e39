import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { history } from '../../src/cli/history.js';
import { UsageError } from '../../src/engine/errors.js';
import { verifyBundle } from '../../src/evidence/verify.js';
import { workFolder } from '../evidence/lib/bundle.js';
import { capture, hostile, writeDrill } from '../report/lib/drills.js';

let folder: Awaited<ReturnType<typeof workFolder>>;
let bundles: string[];
beforeAll(async () => {
  folder = await workFolder();
  bundles = [
    await writeDrill(folder.path, { at: '2026-02-01T07:00:00Z' }),
    await writeDrill(folder.path, { at: '2026-05-01T07:00:00Z', failAt: 'restore' }),
    await writeDrill(folder.path, { at: '2026-08-01T07:00:00Z', version: '1.1.0', rtoMs: 4000 }),
    await writeDrill(folder.path, { at: '2026-08-02T07:00:00Z', runbook: 'other', title: `=1+1${hostile}`, environment: 'staging', sandbox: false }),
  ];
});
afterAll(() => folder.remove());

const run = async (format: string, runbook?: string) => {
  const { out, io } = capture(folder.path);
  const code = await history({ format, runbook, evidenceDir: 'evidence' }, io);
  return { code, ...out };
};

describe('muster history', () => {
  it('lists the drills of a runbook, oldest first, with verdict, RTO and RPO', async () => {
    const { code, stdout } = await run('text', 'pitr-restore');
    expect(code).toBe(0);
    expect(stdout).toContain('1 of 3 passed');
    const lines = stdout.split('\n').filter((line) => /^ {2}2026/.test(line));
    expect(lines.map((line) => line.slice(2, 12))).toEqual(['2026-02-01', '2026-05-01', '2026-08-01']);
    expect(lines[0]).toMatch(/passed\s+RTO\s+8\.05 s/);
    expect(lines[1]).toMatch(/failed\s+RTO not measured.*step-failed/);
    expect(lines[2]).toMatch(/8\.05 s!.*1\.1\.0.*rto-missed/);
    // The unmeasured drill is a gap, not a zero.
    expect(stdout).toMatch(/RTO █·█ {2}last 8\.05 s!, median 8\.05 s, target 4\.00 s/);
  });

  it('shows whether people do less from drill to drill, and wait less for them', async () => {
    const { stdout } = await run('text', 'pitr-restore');
    expect(stdout).toMatch(/manual steps \S{3} {2}last 1; waited for people \S{3} {2}last \S+ s, worked \S+ s/);
    const [head = '', first = ''] = (await run('csv', 'pitr-restore')).stdout.split('\r\n');
    const [columns, cells] = [head.split(','), first.split(',')];
    expect(cells[columns.indexOf('manual_steps')]).toBe('1');
    for (const name of ['waiting_ms', 'working_ms']) expect(Number(cells[columns.indexOf(name)])).toBeGreaterThan(0);
    expect((await run('prometheus')).stdout).toMatch(/^muster_last_waiting_seconds\{runbook="pitr-restore",.*\} [\d.]+$/m);
  });

  it('keeps the figures of other environments apart', async () => {
    const { stdout } = await run('text');
    expect(stdout).toMatch(/^pitr-restore in sandbox \(sandbox\)/m);
    expect(stdout).toMatch(/^other in staging {2}/m);
  });

  it('prints nothing that a terminal acts on, and no line of others', async () => {
    const { stdout } = await run('text');
    expect(stdout).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}]/u);
    expect(stdout).not.toMatch(/^# heading/m);
  });

  it('gives spreadsheets values, never formulas', async () => {
    const { stdout } = await run('csv');
    const rows = stdout.trimEnd().split('\r\n');
    expect(rows).toHaveLength(5);
    expect(rows[1]).toContain('passed,,8051,900000,met,');
    expect(rows[2]).toContain(',failed,step-failed rto-not-measured');
    expect(rows[4]).toContain(`"'=1+1<script>`);
    expect(stdout).not.toMatch(/(^|,)"?[=+@-]/m);
  });

  it('gives tools what each bundle says', async () => {
    const { drills } = JSON.parse((await run('json')).stdout) as { drills: { folder: string; sha256: string; verdict: string }[] };
    expect(drills.map(({ folder: name }) => name)).toEqual(bundles.map((path) => basename(path)));
    expect(drills.map(({ verdict }) => verdict)).toEqual(['passed', 'failed', 'failed', 'passed']);
  });

  it('gives Prometheus no figure where none was measured', async () => {
    const { stdout } = await run('prometheus');
    expect(stdout).toContain('muster_drills{runbook="pitr-restore",environment="sandbox",sandbox="true",verdict="failed"} 2\n');
    expect(stdout).toContain('muster_last_rto_seconds{runbook="pitr-restore",environment="sandbox",sandbox="true"} 8.051\n');
    expect(stdout).toContain('muster_last_drill_passed{runbook="pitr-restore",environment="sandbox",sandbox="true"} 0\n');
    for (const line of stdout.trimEnd().split('\n')) expect(line).toMatch(/^(# (HELP|TYPE) muster_\w+ .+|muster_\w+(\{(\w+="(\\.|[^"\\])*",?)+\})? -?[\d.]+)$/);
  });

  it('refuses a runbook that has no drill, and a folder that is not there', async () => {
    await expect(run('text', 'pitr-restor')).rejects.toThrow(/there are drills of other, pitr-restore/);
    const { io } = capture(folder.path);
    await expect(history({ format: 'text', evidenceDir: 'nowhere' }, io)).rejects.toThrow(UsageError);
  });
});

describe('the cache', () => {
  const cacheFile = () => join(folder.path, 'state/history', readdirSync(join(folder.path, 'state/history'))[0] ?? '');

  it('spares reading the bundles again, and verification does not look at it', async () => {
    await run('json');
    const file = cacheFile();
    writeFileSync(file, readFileSync(file, 'utf8').replaceAll('"verdict":"failed"', '"verdict":"passed"'));
    expect(JSON.parse((await run('json')).stdout)).toMatchObject({ drills: [{}, { verdict: 'passed' }, {}, {}] });
    expect((await verifyBundle(bundles[1] ?? '')).drill?.verdict).toBe('failed');
    writeFileSync(file, 'damaged');
    expect(JSON.parse((await run('json')).stdout)).toMatchObject({ drills: [{}, { verdict: 'failed' }, {}, {}] });
  });

  it('does not hide that a bundle was edited, and says so with 1', async () => {
    const copy = await workFolder();
    await cp(join(folder.path, 'evidence'), join(copy.path, 'evidence'), { recursive: true });
    const { io } = capture(copy.path);
    expect(await history({ format: 'json', evidenceDir: 'evidence' }, io)).toBe(0);
    const file = join(copy.path, 'evidence', basename(bundles[1] ?? ''), 'data/drill.json');
    writeFileSync(file, readFileSync(file, 'utf8').replace('"verdict":"failed"', '"verdict":"passed"'));
    const after = capture(copy.path);
    expect(await history({ format: 'text', evidenceDir: 'evidence' }, after.io)).toBe(1);
    expect(after.out.stdout).toMatch(/left out: data\/drill\.json is not what the manifest says/);
    await copy.remove();
  });

  it('counts a copied bundle once', async () => {
    const copy = await workFolder();
    const bundle = await writeDrill(copy.path);
    await cp(bundle, `${bundle}-again`, { recursive: true });
    const { out, io } = capture(copy.path);
    expect(await history({ format: 'text', evidenceDir: 'evidence' }, io)).toBe(1);
    expect(out.stdout).toContain('1 of 1 passed');
    expect(out.stdout).toMatch(/-again: left out: the same bundle as/);
    await copy.remove();
  });
});
