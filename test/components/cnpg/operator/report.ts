import { phases, type ClusterStatus } from '../api/types.js';
import { timelineOf } from '../postgres/replication.js';
import type { ClusterActor } from './cluster.js';
import { readyCount } from './failover.js';
import { imageOf } from './objects.js';
import type { Instance } from './instance.js';

/** Brings the status up to date at the end of a round; the phase is the healthy one only when every instance is ready. */
export async function report(actor: ClusterActor): Promise<void> {
  const instances = [...actor.instances.values()];
  const ready = readyCount(actor);
  const timelines = new Map<Instance, number>();
  for (const instance of instances) if (instance.running) timelines.set(instance, await timelineOf(instance.server).catch(() => 0));
  const timelineID = actor.primary === undefined ? 0 : (timelines.get(actor.primary) ?? 0);
  const facts: ClusterStatus = {
    instances: instances.length,
    readyInstances: ready,
    latestGeneratedNode: actor.latestSerial,
    instanceNames: instances.map(({ name }) => name),
    instancesStatus: statuses(instances),
    instancesReportedState: Object.fromEntries(instances.filter(({ running }) => running).map((instance) => [instance.name, { isPrimary: instance === actor.primary, timeLineID: timelines.get(instance) ?? 0 }])),
    systemID: actor.systemId,
    image: imageOf(actor.cluster),
    writeService: `${actor.name}-rw`,
    readService: `${actor.name}-r`,
    ...(timelineID > 0 ? { timelineID } : {}),
  };
  await actor.status.set(facts);
  await archiving(actor);
  if (ready === actor.cluster.spec.instances && instances.length === ready) await actor.status.phase(phases.healthy, '');
  else if (instances.length >= actor.cluster.spec.instances) await actor.status.phase(phases.waiting, 'Some instances are not yet active. Please wait.');
}

function statuses(instances: readonly Instance[]): Record<string, string[]> {
  const found: Record<string, string[]> = {};
  for (const { name, ready, running } of instances) (found[ready ? 'healthy' : running ? 'replicating' : 'failed'] ??= []).push(name);
  return found;
}

async function archiving(actor: ClusterActor): Promise<void> {
  if (actor.primary?.running !== true) return;
  const [row] = await actor.primary.server.query<{ failing: boolean; wal: string | null; worked: boolean }>(
    "SELECT coalesce(last_failed_time > coalesce(last_archived_time, '-infinity'), false) AS failing, last_failed_wal AS wal, last_archived_time IS NOT NULL AS worked FROM pg_stat_archiver",
  );
  if (row?.failing === true) await actor.status.condition({ type: 'ContinuousArchiving', status: 'False', reason: 'ContinuousArchivingFailing', message: `unexpected failure while archiving ${row.wal ?? ''}: exit status 1` });
  else if (row?.worked === true) await actor.status.condition({ type: 'ContinuousArchiving', status: 'True', reason: 'ContinuousArchivingSuccess', message: 'Continuous archiving is working' });
}
