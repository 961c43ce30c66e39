import type { Ports } from '../engine/define-step.js';
import { messageOf } from '../engine/errors.js';
import type { World } from '../engine/world.js';
import { runTag } from '../clients/ec2/tags.js';
import type { Left } from './residue.js';

/** Something on a system beyond this machine that bears the run's mark. */
export type Marked = Left & { readonly connection: string };

export type AskMarked = () => Promise<readonly Marked[]>;

/** Asks every connection that a run can make something in. What cannot be looked at may be full of it, and is listed as such. */
export async function markedObjects(world: World, ports: Ports, runId: string): Promise<Marked[]> {
  const found: Marked[] = [];
  for (const [connection, { kind, role }] of world.connections) {
    if (kind !== 'aws' || role === 'production') continue;
    const system = `aws:${connection}`;
    try {
      const ec2 = ports.ec2.of(connection);
      const volumes = await ec2.volumes({ tags: { [runTag]: runId } });
      const there = volumes.filter(({ state }) => state !== 'deleting' && state !== 'deleted');
      found.push(...there.map(({ id }) => ({ connection, system, object: `volume ${id}`, remedy: `aws ec2 delete-volume --region ${ec2.details.region} --volume-id ${id}` })));
    } catch (error) {
      found.push({ connection, system, object: `what it holds of this run could not be looked at: ${messageOf(error)}`, remedy: `look for what bears the tag ${runTag}=${runId}` });
    }
  }
  return found;
}
