import { randomBytes } from 'node:crypto';
import type { V1Secret } from '@kubernetes/client-node';
import pg from 'pg';
import { freePort } from '../../../../src/clients/provision/lib/free-port.js';
import { paths, phases } from '../api/types.js';
import { replicationUser } from '../postgres/settings.js';
import type { ClusterActor } from './cluster.js';
import type { Instance } from './instance.js';
import { microTime } from './lease.js';
import { secretOf, type Credentials } from './objects.js';
import { recover } from './recovery.js';
import { stuck } from './stuck.js';

/** Sets up the first primary: a new cluster, or one recovered from an archive. */
export async function bootstrap(actor: ClusterActor): Promise<void> {
  const { cluster, archive } = actor;
  const first = actor.instances.values().next().value ?? actor.newInstance('primary', await freePort());
  await actor.status.phase(phases.setup, `Creating primary instance ${first.name}`, { targetPrimary: first.name, targetPrimaryTimestamp: microTime(), latestGeneratedNode: first.serial, instances: 1, readyInstances: 0 });
  if (!first.hasPod) await first.createPod(cluster);
  await first.server.kill();
  if (archive !== undefined) {
    await archive.prepare();
    if (!(await archive.isEmpty())) await hangOnUsedArchive(actor, first, archive.serverName);
  }
  if (cluster.spec.bootstrap?.recovery === undefined) {
    await first.server.initialize();
    await first.configure(actor.planOf(first));
    await first.server.start(actor.signal);
    await makeDatabase(actor, first);
  } else {
    await recover(actor, first, cluster.spec.bootstrap.recovery);
    await first.configure(actor.planOf(first));
  }
  await setPasswords(actor, first);
  const [control] = await first.server.query<{ id: string }>('SELECT system_identifier::text AS id FROM pg_control_system()');
  actor.systemId = control?.id ?? '';
  await actor.lease.acquire(first.name, actor.signal);
  actor.primary = first;
  await first.configure(actor.planOf(first));
  await first.report(cluster);
  await actor.status.set({ currentPrimary: first.name, currentPrimaryTimestamp: microTime(), systemID: actor.systemId });
  await actor.status.condition({ type: 'Initialized', status: 'True', reason: 'ClusterInitialized', message: 'The cluster has been initialized' });
  actor.happened('initialized', first.name);
  actor.wake();
}

/** The real one's job fails and is started again and again; nothing but another path helps. */
async function hangOnUsedArchive(actor: ClusterActor, first: Instance, serverName: string): Promise<never> {
  const message = `WAL archive check failed for server ${serverName}: Expected empty archive`;
  await first.report(actor.cluster, { waiting: { reason: 'CrashLoopBackOff', message } });
  await actor.status.condition({ type: 'ContinuousArchiving', status: 'False', reason: 'ContinuousArchivingFailing', message });
  actor.happened('expected-empty-archive', serverName);
  return stuck(actor.signal);
}

async function makeDatabase(actor: ClusterActor, first: Instance): Promise<void> {
  const { owner, database } = application(actor);
  const { escapeIdentifier } = pg;
  await first.server.query(`CREATE ROLE ${replicationUser} REPLICATION LOGIN`);
  await first.server.query(`CREATE ROLE ${escapeIdentifier(owner)} LOGIN`);
  await first.server.query(`CREATE DATABASE ${escapeIdentifier(database)} OWNER ${escapeIdentifier(owner)}`);
}

function application(actor: ClusterActor): { owner: string; database: string } {
  const { initdb, recovery } = actor.cluster.spec.bootstrap ?? {};
  const asked = initdb ?? recovery;
  const owner = asked?.owner ?? asked?.database ?? 'app';
  return { owner, database: asked?.database ?? 'app' };
}

/** Secrets are not in backups: each Cluster has its own. */
async function setPasswords(actor: ClusterActor, first: Instance): Promise<void> {
  const { cluster } = actor;
  const { owner, database } = application(actor);
  await setPassword(actor, first, 'app', { username: owner, dbname: database, password: newPassword() });
  if (cluster.spec.enableSuperuserAccess === true) await setPassword(actor, first, 'superuser', { username: 'postgres', dbname: '*', password: newPassword() });
  else await first.server.query('ALTER ROLE postgres PASSWORD NULL');
}

async function setPassword(actor: ClusterActor, first: Instance, suffix: 'app' | 'superuser', credentials: Credentials): Promise<void> {
  const { cluster, around } = actor;
  const secret = await around.api.create<V1Secret>(paths.core(cluster.metadata.namespace, 'secrets'), secretOf(cluster, suffix, credentials, actor.services.ports.get('rw') ?? 0));
  // One that was there before is the one that counts.
  const text = (key: string): string => Buffer.from(secret.data?.[key] ?? '', 'base64').toString();
  await first.server.query(`ALTER ROLE ${pg.escapeIdentifier(text('username'))} PASSWORD ${pg.escapeLiteral(text('password'))}`);
}

function newPassword(): string {
  return randomBytes(32).toString('base64url');
}
