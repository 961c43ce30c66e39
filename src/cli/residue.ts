import { access } from 'node:fs/promises';
import type { EvidenceOf } from '../engine/kinds/index.js';
import type { World } from '../engine/world.js';
import { processesWith } from '../clients/process/identity.js';

/** What a run has left behind: processes that bear its name, and data directories of servers that it made. */
export async function residueOf(runId: string, world: World): Promise<EvidenceOf<'residue'>> {
  const processes = (await processesWith([`MUSTER_RUN=${runId}`])).filter((pid) => pid !== process.pid);
  const left = processes.map((pid) => ({ system: 'process', object: `pid ${pid}` }));
  for (const [name, { role, details }] of world.connections) {
    const { local } = details as { local?: { dataDir?: unknown } };
    if (role === 'production' || typeof local?.dataDir !== 'string') continue;
    const found = await access(local.dataDir).then(() => true, () => false);
    if (found) left.push({ system: `postgres:${name}`, object: `data directory ${local.dataDir}` });
  }
  return { left };
}
