import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { muster, runNodeWithPeak } from './child.js';
import { inFolder } from './folder.js';
import { median, type BenchRow } from './row.js';

const rounds = 7;
const sizes = [2_500, 5_000, 10_000] as const;

/** The plan of long runbooks, as a whole command: time, memory, and that the cost of a step does not grow. */
export async function plan(): Promise<BenchRow[]> {
  return inFolder(async (folder) => {
    const environment = join(folder, 'environment.yaml');
    await writeFile(environment, 'apiVersion: muster/v1\nkind: Environment\nmetadata: { name: none, sandbox: true }\nconnections: {}\nboundary: {}\nrunbooks: any\n');
    const runs: { readonly ms: number[]; readonly peakMb: number[] }[] = [];
    for (let round = 0; round < rounds; round += 1) {
      for (const [at, steps] of sizes.entries()) {
        const runbook = join(folder, `${steps}.yaml`);
        if (round === 0) await writeFile(runbook, runbookOf(steps));
        const { ms, peakMb } = await runNodeWithPeak(folder, [muster, 'plan', runbook, '--env', environment, '--format', 'json']);
        const run = (runs[at] ??= { ms: [], peakMb: [] });
        run.ms.push(ms);
        run.peakMb.push(peakMb);
      }
    }
    const [small, middle, large] = runs.map(({ ms }) => median(ms));
    return [
      { name: 'plan of 10,000 steps', measured: large ?? Number.NaN, limit: 2_000, unit: 'ms' },
      { name: 'plan of 10,000 steps, peak memory', measured: median(runs[2]?.peakMb ?? []), limit: 400, unit: 'MB' },
      // The start of the command is in each of them and cancels out.
      { name: 'planning: 5,000 steps more against 2,500 more, per step', measured: ((large ?? 0) - (middle ?? 0)) / 2 / ((middle ?? 0) - (small ?? 0)), limit: 1.5, unit: 'x' },
    ];
  });
}

function runbookOf(count: number): string {
  const steps = Array.from({ length: count }, (_, n) => `  - { id: s${n}, phase: verify, uses: wait, with: { for: "0" } }`);
  return ['apiVersion: muster/v1', 'kind: Runbook', 'metadata: { name: many, version: 1.0.0, title: Many steps, owner: bench }', 'objectives: {}', 'fault: declared', 'requires: {}', 'steps:', ...steps, ''].join('\n');
}
