import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ownerOfServers } from '../src/clients/postgres/owner.js';
import { findBinaries } from '../src/clients/provision/lib/binaries.js';
import { runNodeWithPeak } from './child.js';
import { demo, sandboxWatching, withoutProbes } from './demo.js';
import { inFolder } from './folder.js';
import { ratioInTurn, type BenchRow } from './row.js';

const rounds = 9;
const bareProgram = fileURLToPath(new URL('bare-pitr.js', import.meta.url));

/** The demo drill against the same PostgreSQL calls without an engine, nothing that watches in either. */
export async function drill(): Promise<BenchRow[]> {
  return inFolder(async (folder) => {
    const owner = await ownerOfServers();
    const { binDir } = await findBinaries(undefined, owner);
    const runbook = await withoutProbes(folder);
    const environment = await sandboxWatching(folder, undefined);
    const ids = owner.uid === null ? [] : [String(owner.uid), String(owner.gid)];
    let round = 0;
    const ours = async () => {
      // 1: without probes nothing measures recovery, so the drill proves nothing. That is not the point here.
      const { ms, drill: result, stderr } = await demo(folder, runbook, { environment, ok: [1] });
      if (result.steps.some(({ status }) => status !== 'succeeded')) throw new Error(`a step did not succeed: ${stderr}`);
      return ms;
    };
    const bare = async () => (await runNodeWithPeak(folder, [bareProgram, binDir, join(folder, `bare-${(round += 1)}`), ...ids])).ms;
    await ours();
    return [{ name: 'the demo drill against the same calls without an engine', measured: await ratioInTurn(rounds, ours, bare), limit: 1.05, unit: 'x' }];
  });
}
