import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256 } from '../src/engine/canonical.js';
import { muster, runNodeWithPeak } from './child.js';
import { inFolder } from './folder.js';
import { drillOf } from './drill-of.js';
import { median, type BenchRow } from './row.js';

const bundles = 1_000;
const rounds = 7;

/** `muster history` of 1,000 bundles, as a whole command, once it has read them. */
export async function history(): Promise<BenchRow[]> {
  return inFolder(async (folder) => {
    const { drill, plan, run } = drillOf(folder, 1);
    for (let n = 0; n < bundles; n += 1) await writeBundle(join(folder, 'many'), drill, plan, run, n);
    const args = [muster, 'history', '--evidence-dir', join(folder, 'many')];
    const env = { MUSTER_STATE_DIR: join(folder, 'state') };
    const first = await runNodeWithPeak(folder, args, { env });
    const again: number[] = [];
    for (let round = 0; round < rounds; round += 1) again.push((await runNodeWithPeak(folder, args, { env })).ms);
    return [
      { name: 'history of 1,000 bundles, read for the first time', measured: first.ms, limit: 30_000, unit: 'ms' },
      { name: 'history of 1,000 bundles, again', measured: median(again), limit: 1_000, unit: 'ms' },
    ];
  });
}

/** The four files that a bundle's summary comes from, each of a run of its own a day later. */
async function writeBundle(root: string, drill: string, plan: string, run: string, n: number): Promise<void> {
  const at = new Date(Date.parse('2020-01-01T00:00:00Z') + n * 86_400_000).toISOString();
  const name = `${at.slice(0, 19).replaceAll(/[-:]/g, '')}Z-bench-${n.toString(16).padStart(6, '0')}`;
  const text = drill.replaceAll(run, name).replace(/"startedAt":"[^"]*"/, `"startedAt":"${at}"`);
  const manifest = `${sha256(text)}  data/drill.json\n${sha256(plan)}  data/plan.json\n`;
  await mkdir(join(root, name, 'data'), { recursive: true });
  await writeFile(join(root, name, 'data/drill.json'), text);
  await writeFile(join(root, name, 'data/plan.json'), plan);
  await writeFile(join(root, name, 'manifest-sha256.txt'), manifest);
  await writeFile(join(root, name, 'tagmanifest-sha256.txt'), `${sha256(manifest)}  manifest-sha256.txt\n`);
}
