import { phases, type Cluster } from '../api/types.js';
import type { ClusterActor } from './cluster.js';

/** Names in the annotation cnpg.io/fencedInstances, `*` for all. */
function fencedNames(cluster: Cluster): readonly string[] {
  const text = cluster.metadata.annotations?.['cnpg.io/fencedInstances'];
  if (text === undefined || text === '') return [];
  const names: unknown = JSON.parse(text);
  return Array.isArray(names) ? names.map(String) : [];
}

/** Stops the postmaster of what is fenced and leaves its pod; of a primary too, without any failover. What no longer is starts again as it was. */
export async function fence(actor: ClusterActor): Promise<void> {
  const names = fencedNames(actor.cluster);
  for (const instance of actor.instances.values()) {
    const fenced = names.includes(instance.name) || names.includes('*');
    if (fenced && !instance.fenced) {
      instance.fenced = true;
      await instance.server.stop();
      await instance.report(actor.cluster);
      actor.happened('fenced', instance.name);
    } else if (!fenced && instance.fenced) {
      await instance.server.start(actor.signal);
      instance.fenced = false;
      await instance.report(actor.cluster);
      actor.happened('fencing-lifted', instance.name);
    }
  }
}

export const hibernation = 'cnpg.io/hibernation';

export function isHibernated(cluster: Cluster): boolean {
  return cluster.metadata.annotations?.[hibernation] === 'on';
}

/** All servers stop and all pods go; the phase stays what it was, which is the healthy one. */
export async function hibernate(actor: ClusterActor): Promise<void> {
  if ([...actor.instances.values()].some(({ running, hasPod }) => running || hasPod)) {
    const replicasLast = [...actor.instances.values()].toSorted((a, b) => Number(b === actor.primary) - Number(a === actor.primary));
    for (const instance of replicasLast) {
      await instance.server.stop();
      await instance.removePod(actor.cluster);
    }
    await actor.lease.release();
    actor.happened('hibernated');
  }
  await actor.status.set({ readyInstances: 0, phase: phases.healthy, phaseReason: '' });
  await actor.status.condition({ type: hibernation, status: 'True', reason: 'Hibernated', message: 'Cluster has been hibernated' });
}
