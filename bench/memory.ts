import { demo, demoRunbook } from './demo.js';
import { inFolder } from './folder.js';
import { median, type BenchRow } from './row.js';

const rounds = 7;

/** The most memory that the process of a demo drill ever held; servers are processes of their own. */
export async function memory(): Promise<BenchRow[]> {
  return inFolder(async (folder) => {
    const peaks: number[] = [];
    for (let round = 0; round < rounds; round += 1) peaks.push((await demo(folder, demoRunbook)).peakMb);
    return [{ name: 'peak memory of a demo drill', measured: median(peaks), limit: 160, unit: 'MB' }];
  });
}
