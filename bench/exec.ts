import { join } from 'node:path';
import type { Ports } from '../src/engine/define-step.js';
import { processPort } from '../src/clients/process/adapter.js';
import { step } from '../src/steps/general/exec.js';
import { drillOf } from './empty-drill.js';
import { inFolder } from './folder.js';
import { median, type BenchRow } from './row.js';

const rounds = 7;
const steps = 50;

/** Processes that do nothing: what a step of type `exec` costs with its cleanup on record and its start confirmed. */
export async function exec(): Promise<BenchRow[]> {
  return inFolder(async (dir) => {
    const costs: number[] = [];
    for (let round = 0; round <= rounds; round += 1) {
      const took = await drillOf(join(dir, `run-${round}`), steps, step, { argv: ['/bin/true'], effect: 'read' }, (scope) => ({ process: processPort(scope) }) as Partial<Ports> as Ports);
      // The first one loads the modules.
      if (round > 0) costs.push(took);
    }
    return [{ name: '50 exec steps of /bin/true, each', measured: median(costs), limit: 10, unit: 'ms' }];
  });
}
