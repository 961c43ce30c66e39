import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { status } from '../../src/cli/status.js';
import { DocumentError, UsageError } from '../../src/engine/errors.js';
import { packageRoot } from '../../src/engine/package-root.js';
import { recomputeManifests, workFolder } from '../evidence/lib/bundle.js';
import { capture, drillRun, loadableRunbook, writeDrill, type DrillOptions } from '../report/lib/drills.js';

const shipped = (path: string) => readFileSync(join(packageRoot(), path), 'utf8');
const documents = { runbook: loadableRunbook(), environment: shipped('runbooks/environments/sandbox.yaml') };
const march: DrillOptions = { at: '2026-03-01T07:00:00Z', documents };

let folder: Awaited<ReturnType<typeof workFolder>>;
let runbook: string;
beforeEach(async () => {
  folder = await workFolder();
  mkdirSync(join(folder.path, 'runbooks/environments'), { recursive: true });
  runbook = join(folder.path, 'runbooks/pitr-restore.yaml');
  writeFileSync(runbook, drillRun(march).runbookText);
  writeFileSync(join(folder.path, 'runbooks/environments/sandbox.yaml'), documents.environment);
});
afterEach(() => folder.remove());

const at = async (asOf: string, more: { grace?: string; format?: string } = {}) => {
  const { out, io } = capture(folder.path);
  const code = await status({ runbooks: [], evidenceDir: 'evidence', asOf, format: 'text', ...more }, io);
  return { code, ...out };
};

describe('muster status', () => {
  it('is 1 for a runbook that was never run', async () => {
    const { code, stdout } = await at('2026-03-02');
    expect(code).toBe(1);
    expect(stdout).toMatch(/^NEVER RUN {5}pitr-restore 1\.0\.0, quarterly, platform-team\n {2}last pass {3}none$/m);
  });

  it('counts a quarter and its grace from the last pass', async () => {
    await writeDrill(folder.path, march);
    expect(await at('2026-03-02')).toMatchObject({ code: 0, stdout: expect.stringMatching(/^current .*[^]*next +due 2026-06-01, overdue after 2026-06-15/m) as string });
    expect(await at('2026-06-01T06:59:00Z')).toMatchObject({ code: 0, stdout: expect.stringMatching(/^current/) as string });
    expect(await at('2026-06-01')).toMatchObject({ code: 0, stdout: expect.stringMatching(/^DUE/) as string });
    expect(await at('2026-06-15T06:59:00Z')).toMatchObject({ code: 0, stdout: expect.stringMatching(/^DUE/) as string });
    expect(await at('2026-06-15')).toMatchObject({ code: 1, stdout: expect.stringMatching(/^OVERDUE/) as string });
    expect(await at('2026-06-15', { grace: '30d' })).toMatchObject({ code: 0, stdout: expect.stringMatching(/^DUE/) as string });
  });

  it('takes the last day of a shorter month', async () => {
    await writeDrill(folder.path, { ...march, at: '2026-11-30T07:00:00Z' });
    expect((await at('2026-12-01')).stdout).toContain('due 2027-02-28');
  });

  it('does not take a failed drill for a pass', async () => {
    await writeDrill(folder.path, { ...march, failAt: 'restore' });
    const { code, stdout } = await at('2026-03-02');
    expect(code).toBe(1);
    expect(stdout).toMatch(/^NEVER PASSED[^]*last run +2026-03-01: failed \(step-failed/m);
  });

  it('does not take a bundle for a pass that does not verify, even with its manifests made to fit', async () => {
    const bundle = await writeDrill(folder.path, { ...march, failAt: 'restore' });
    const file = join(bundle, 'data/drill.json');
    const drill = JSON.parse(readFileSync(file, 'utf8')) as { verdict: string; reasons: unknown[] };
    writeFileSync(file, `${JSON.stringify({ ...drill, verdict: 'passed', reasons: [] })}\n`);
    recomputeManifests(bundle);
    const { code, stdout, stderr } = await at('2026-03-02');
    expect(code).toBe(1);
    expect(stdout).toMatch(/^NEVER PASSED/);
    expect(stderr).toMatch(/does not verify, so it is no pass/);
  });

  it('does not take a drill for a pass that is not over yet on that day', async () => {
    await writeDrill(folder.path, march);
    expect(await at('2026-02-28')).toMatchObject({ code: 1, stdout: expect.stringMatching(/^NEVER RUN/) as string });
  });

  it('voids a pass when runbook, environment or tool changed since, and says which', async () => {
    await writeDrill(folder.path, { ...march, tool: '0.0.9' });
    writeFileSync(runbook, readFileSync(runbook, 'utf8').replace('rpo: 60s', 'rpo: 30s'));
    const environment = join(folder.path, 'runbooks/environments/sandbox.yaml');
    writeFileSync(environment, documents.environment.replace('stableFor: 2s', 'stableFor: 3s'));
    const { code, stdout } = await at('2026-03-02');
    // It is due at once, and overdue only when the quarter and its grace are over.
    expect(code).toBe(0);
    expect(stdout).toMatch(/^DUE/);
    expect(stdout).toContain('the runbook changed, though its version is still 1.0.0');
    expect(stdout).toContain('the environment sandbox changed');
    expect(stdout).toMatch(/Muster changed: 0\.0\.9 -> /);
    expect(stdout).toContain('due 2026-03-02');
    expect((await at('2026-06-16')).code).toBe(1);
    rmSync(environment);
    expect((await at('2026-03-02')).stdout).toContain('the environment sandbox is not here: whether it changed is not known');
  });

  it('gives tools the same', async () => {
    await writeDrill(folder.path, march);
    const parsed = JSON.parse((await at('2026-06-20', { format: 'json' })).stdout) as { runbooks: unknown[] };
    expect(parsed.runbooks).toMatchObject([{ state: 'overdue', overdue: true, overdueAt: '2026-06-15T07:00:00.000Z', voidedBy: [], runbook: { name: 'pitr-restore' } }]);
  });

  it('shows the others before it refuses a broken runbook', async () => {
    writeFileSync(join(folder.path, 'runbooks/broken.yaml'), 'apiVersion: muster/v1\nkind: Runbook\n');
    const { out, io } = capture(folder.path);
    await expect(status({ runbooks: [], evidenceDir: 'evidence', format: 'text' }, io)).rejects.toThrow(DocumentError);
    expect(out.stdout).toContain('NEVER RUN');
    await expect(status({ runbooks: ['nowhere'], evidenceDir: 'evidence', format: 'text' }, io)).rejects.toThrow(UsageError);
    await expect(status({ runbooks: [], evidenceDir: 'evidence', format: 'text', asOf: '2026-13-01' }, io)).rejects.toThrow(UsageError);
  });
});
