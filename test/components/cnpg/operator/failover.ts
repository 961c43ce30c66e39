import { setTimeout as pause } from 'node:timers/promises';
import { pendingPrimary, phases } from '../api/types.js';
import { mostAdvanced, position, receiverDown } from '../postgres/replication.js';
import type { ClusterActor } from './cluster.js';
import type { Instance } from './instance.js';
import { microTime } from './lease.js';

/**
 * The primary is gone: targetPrimary becomes `pending`, all WAL receivers go down, so that nobody moves any more, the most advanced
 * replica is elected, waits for the lease, and is really promoted.
 */
export async function failOver(actor: ClusterActor, old: Instance): Promise<void> {
  actor.lease.lost();
  const failingSince = microTime();
  actor.happened('primary-lost', old.name);
  await old.report(actor.cluster);
  await actor.slow('detection');
  await actor.status.phase(phases.failover, `Initiating a failover from ${old.name}`, { targetPrimary: pendingPrimary, targetPrimaryTimestamp: microTime(), currentPrimaryFailingSinceTimestamp: failingSince, readyInstances: readyCount(actor) });
  actor.happened('failover-started', old.name);
  await actor.slow('receivers');
  const standbys = actor.replicas.filter(({ running, fenced }) => running && !fenced);
  for (const standby of standbys) await standby.configure(actor.planOf(standby, true));
  for (const standby of standbys) await receiverDown(standby.server, actor.signal);
  actor.happened('receivers-down');
  await actor.slow('election');
  while (actor.around.switches().neverElects) await pause(50, undefined, { signal: actor.signal });
  const elected = await mostAdvanced(standbys.map(({ server }) => server));
  const winner = standbys.find(({ server }) => server === elected);
  if (winner === undefined) throw new Error('no replica answers: nobody can be elected');
  await actor.status.phase(phases.failover, `Failing over from ${old.name} to ${winner.name}`, { targetPrimary: winner.name, targetPrimaryTimestamp: microTime() });
  actor.happened('elected', `${winner.name} ${(await position(winner.server)).received ?? ''}`);
  old.diverged = true;
  await promote(actor, old, winner);
  actor.happened('failed-over', winner.name);
}

/** As asked for by a patch of the status: the primary stops in good order, the target has everything, and takes over. */
export async function switchOver(actor: ClusterActor, old: Instance, target: Instance): Promise<void> {
  actor.happened('switchover-started', `${old.name} ${target.name}`);
  await actor.status.phase(phases.switchover, `Switching over to ${target.name}`);
  await actor.slow('switchover');
  await old.server.stop();
  await old.report(actor.cluster);
  await actor.lease.release();
  await receiverDown(target.server, actor.signal);
  await promote(actor, old, target);
  await old.configure(actor.planOf(old));
  actor.happened('switched-over', target.name);
}

async function promote(actor: ClusterActor, old: Instance, winner: Instance): Promise<void> {
  await actor.slow('promotion');
  await actor.lease.acquire(winner.name, actor.signal);
  actor.happened('lease-acquired', winner.name);
  const [promoted] = await winner.server.query<{ done: boolean }>('SELECT pg_promote(true, 60) AS done');
  if (promoted?.done !== true) throw new Error(`${winner.name} was not promoted`);
  actor.primary = winner;
  actor.happened('promoted', winner.name);
  await winner.configure(actor.planOf(winner));
  await actor.status.set({ currentPrimary: winner.name, currentPrimaryTimestamp: microTime(), currentPrimaryFailingSinceTimestamp: '' });
  await actor.slow('labels');
  await old.label(actor.cluster, 'replica');
  await winner.label(actor.cluster, 'primary');
  actor.happened('service-moved', winner.name);
}

export function readyCount(actor: ClusterActor): number {
  return [...actor.instances.values()].filter(({ ready }) => ready).length;
}
