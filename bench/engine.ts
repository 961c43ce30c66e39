import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Type } from 'typebox';
import { defineStep } from '../src/engine/define-step.js';
import { strict } from '../src/engine/schema.js';
import { drillOf } from './empty-drill.js';
import { inFolder } from './folder.js';
import { median, type BenchRow } from './row.js';

const none = Type.Object({}, strict);
const noop = defineStep({ type: 'bench.noop', summary: '', input: none, output: none, effect: 'read', changes: () => [], permissions: () => [], evidence: [], examples: [], plan: () => ({ does: '', calls: [] }), run: async () => ({}) });
const rounds = 7;
const steps = 1_000;
const sizes = [2_500, 5_000, 10_000] as const;

/** The same lines, each with a write and an fdatasync of its own, and nothing else. */
function bare(path: string, lines: readonly string[]): number {
  const fd = openSync(path, 'a');
  const start = performance.now();
  for (const line of lines) {
    writeSync(fd, line);
    fdatasyncSync(fd);
  }
  const took = performance.now() - start;
  closeSync(fd);
  return took / steps;
}

/** What a step costs beside the disk, and that the cost does not grow with the runbook. In turn, so that all see the same machine. */
export async function engine(): Promise<BenchRow[]> {
  return inFolder(async (dir) => {
    const ratios: number[] = [];
    const growth: number[] = [];
    await drillOf(join(dir, 'warm-up'), steps, noop, {});
    for (let round = 0; round < rounds; round += 1) {
      const run = join(dir, `run-${round}`);
      const ours = await drillOf(run, steps, noop, {});
      const lines = (await readFile(join(run, 'journal.jsonl'), 'utf8')).split(/(?<=\n)/);
      ratios.push(ours / bare(join(dir, `bare-${round}`), lines));
    }
    for (let round = 0; round < 3; round += 1) {
      const costs: number[] = [];
      for (const size of sizes) costs.push(await drillOf(join(dir, `long-${round}-${size}`), size, noop, {}));
      growth.push((costs[2] ?? Number.NaN) / (costs[0] ?? Number.NaN));
    }
    return [
      { name: '1,000 steps that do nothing, against one fdatasync per line', measured: median(ratios), limit: 3, unit: 'x' },
      { name: 'running: a step of 10,000 against a step of 2,500', measured: median(growth), limit: 1.5, unit: 'x' },
    ];
  });
}
