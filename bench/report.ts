import { statSync } from 'node:fs';
import { join } from 'node:path';
import { muster, runNodeWithPeak } from './child.js';
import { drillOf } from './drill-of.js';
import { inFolder } from './folder.js';
import { median, type BenchRow } from './row.js';

const steps = 5_000;
const rounds = 5;

/** The report of a drill of 5,000 steps: its size, and `muster report` as a whole command, which verifies the bundle first. */
export async function report(): Promise<BenchRow[]> {
  return inFolder(async (folder) => {
    const { bundle } = drillOf(folder, steps);
    const took: number[] = [];
    for (let round = 0; round < rounds; round += 1) took.push((await runNodeWithPeak(folder, [muster, 'report', bundle, '--format', 'html', '--out', join(folder, 'report.html')])).ms);
    return [
      { name: 'report of a drill of 5,000 steps: size', measured: statSync(join(folder, 'report.html')).size / 1_000_000, limit: 3, unit: 'MB' },
      { name: 'report of a drill of 5,000 steps', measured: median(took), limit: 2_000, unit: 'ms' },
    ];
  });
}
