import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageRoot } from '../src/engine/package-root.js';
import { median, type BenchRow } from './row.js';

const rounds = 9;
const manySteps = 10_000;

/** What a user waits for before anything happens, against the start of node itself in the same minute. */
export function rows(): BenchRow[] {
  const muster = join(packageRoot(), 'bin/muster.js');
  const runbook = join(packageRoot(), 'runbooks/pitr-restore.yaml');
  const samples = { node: [] as number[], version: [] as number[], validate: [] as number[] };
  for (let round = 0; round < rounds; round += 1) {
    samples.node.push(wallMs(['-e', '0']));
    samples.version.push(wallMs([muster, '--version']));
    samples.validate.push(wallMs([muster, 'validate', runbook]));
  }
  const node = median(samples.node);
  const ratio = (name: string, values: number[], limit: number): BenchRow => ({ name, ratio: median(values) / node, limit, unit: 'x', ok: median(values) / node <= limit });
  return [ratio('muster --version / node -e 0', samples.version, 2), ratio('muster validate / node -e 0', samples.validate, 4), ...planRows(muster)];
}

function wallMs(args: string[]): number {
  const started = performance.now();
  const { status, stderr } = spawnSync(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  const took = performance.now() - started;
  if (status !== 0) throw new Error(`node ${args.join(' ')}: ${stderr.toString()}`);
  return took;
}

/** The plan of a runbook with 10,000 steps: wall time of the whole command, and its peak memory as the kernel counted it. */
function planRows(muster: string): BenchRow[] {
  const folder = mkdtempSync(join(tmpdir(), 'muster-bench-'));
  try {
    const runbook = join(folder, 'many.yaml');
    const environment = join(folder, 'environment.yaml');
    const steps = Array.from({ length: manySteps }, (_, n) => `  - { id: s${n}, phase: verify, uses: wait, with: { for: "0" } }`);
    writeFileSync(
      runbook,
      ['apiVersion: muster/v1', 'kind: Runbook', 'metadata: { name: many, version: 1.0.0, title: Many steps, owner: bench }', 'objectives: {}', 'fault: declared', 'requires: {}', 'steps:', ...steps, ''].join('\n'),
    );
    writeFileSync(environment, 'apiVersion: muster/v1\nkind: Environment\nmetadata: { name: none, sandbox: true }\nconnections: {}\nboundary: {}\nrunbooks: any\n');
    const report = join(folder, 'peak');
    const probe = `process.on('exit', () => require('node:fs').writeFileSync(${JSON.stringify(report)}, String(process.resourceUsage().maxRSS)))`;
    const hook = join(folder, 'peak.cjs');
    writeFileSync(hook, probe);
    const times: number[] = [];
    const peaks: number[] = [];
    for (let round = 0; round < 7; round += 1) {
      times.push(wallMs(['--require', hook, muster, 'plan', runbook, '--env', environment, '--format', 'json']));
      peaks.push(Number(readFileSync(report, 'utf8')) / 1024);
    }
    const ms = median(times);
    const mb = median(peaks);
    return [
      { name: `plan of ${manySteps} steps`, value: ms, limit: 2_000, unit: 'ms', ok: ms <= 2_000 },
      { name: `plan of ${manySteps} steps, peak memory`, value: mb, limit: 400, unit: 'MB', ok: mb <= 400 },
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
