import { writeFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { KubernetesObject, V1Pod } from '@kubernetes/client-node';
import { ApiClient } from '../api/client.js';
import { definitions } from '../api/crds.js';
import { group, paths, type Backup, type Cluster, type Pooler } from '../api/types.js';
import type { Kubeconfigs } from '../channel.js';
import type { Place } from '../postgres/place.js';
import { position, lsnNumber, receiverPid } from '../postgres/replication.js';
import { noSwitches, type Control, type Happened, type InstanceFacts, type Switches } from '../switches.js';
import { takeBackup } from './backups.js';
import { ClusterActor, type Surroundings } from './cluster.js';
import type { Instance } from './instance.js';
import { Nodes } from './nodes.js';
import { Poolers } from './poolers.js';

export interface OperatorOptions {
  readonly kubeconfigs: Kubeconfigs;
  readonly place: Place;
  /** Of the names of the nodes that its pods run on. */
  readonly nodePrefix: string;
  readonly leaseSeconds: number;
}

/**
 * A stand-in for the CloudNativePG operator: all Clusters of a Kubernetes cluster, with the instance managers in their pods and the
 * kubelets below them, in one process.
 */
export class Operator implements Control {
  readonly #api: ApiClient;
  readonly #nodes: Nodes;
  readonly #around: Surroundings;
  readonly #actors = new Map<string, ClusterActor>();
  readonly #poolers: Poolers;
  readonly #backups = new Set<string>();
  readonly #stopping = new AbortController();
  readonly #events: Happened[] = [];
  #switches = noSwitches;
  #follows: Promise<unknown>[] = [];

  constructor(options: OperatorOptions) {
    const { operator, instances, kubelets, cloud } = options.kubeconfigs;
    const { signal } = this.#stopping;
    this.#api = new ApiClient(operator, signal);
    const clients = { api: this.#api, instances: new ApiClient(instances, signal), cloud: new ApiClient(cloud, signal, 'aws-cloud-controller-manager/v1.30 (stand-in)') };
    this.#nodes = new Nodes(new ApiClient(kubelets, signal, 'kubelet/v1.30.0 (stand-in)'), options.nodePrefix);
    this.#poolers = new Poolers(clients, (namespace, name) => this.#actors.get(`${namespace}/${name}`));
    this.#around = {
      ...clients,
      nodes: this.#nodes,
      place: options.place,
      leaseSeconds: options.leaseSeconds,
      switches: () => this.#switches,
      happened: (event) => void this.#events.push({ at: performance.timeOrigin + performance.now(), ...event }),
    };
  }

  async start(): Promise<void> {
    for (const definition of definitions) await this.#define(definition);
    await this.#nodes.start();
    this.#follows = [
      this.#api.follow<Cluster & KubernetesObject>(`/apis/${group}/v1/clusters`, (cluster, deleted) => this.#seenCluster(cluster, deleted)),
      this.#api.follow<Backup & KubernetesObject>(`/apis/${group}/v1/backups`, (backup, deleted) => this.#seenBackup(backup, deleted)),
      this.#api.follow<Pooler & KubernetesObject>(`/apis/${group}/v1/poolers`, (pooler, deleted) => this.#poolers.seen(pooler, deleted)),
      this.#api.follow<V1Pod>('/api/v1/pods', (pod, deleted) => this.#seenPod(pod, deleted), 'cnpg.io/cluster'),
    ];
    for (const follow of this.#follows) follow.catch((error: unknown) => this.#around.happened({ cluster: '', what: 'error', detail: String(error) }));
  }

  async #define(definition: Readonly<Record<string, unknown>>): Promise<void> {
    const path = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
    const { metadata } = await this.#api.create(path, definition);
    const established = async (): Promise<boolean> => {
      const { status } = await this.#api.get<KubernetesObject & { status?: { conditions?: { type: string; status: string }[] } }>(`${path}/${metadata?.name ?? ''}`);
      return status?.conditions?.some(({ type, status: value }) => type === 'Established' && value === 'True') === true;
    };
    while (!(await established())) await pause(50);
  }

  #seenCluster(cluster: Cluster, deleted: boolean): void {
    const key = `${cluster.metadata.namespace}/${cluster.metadata.name}`;
    const actor = this.#actors.get(key);
    if (deleted || cluster.metadata.deletionTimestamp !== undefined) {
      this.#actors.delete(key);
      void actor?.stop().then(() => rm(actor.folder, { recursive: true, force: true }));
    } else if (actor === undefined) {
      const started = new ClusterActor(cluster, this.#around);
      this.#actors.set(key, started);
      started.start();
    } else {
      actor.wake();
    }
  }

  #seenBackup(backup: Backup, deleted: boolean): void {
    const { namespace, uid } = backup.metadata;
    const actor = this.#actors.get(`${namespace}/${backup.spec.cluster.name}`);
    if (deleted || backup.status?.phase !== undefined || actor === undefined || this.#backups.has(uid)) return;
    this.#backups.add(uid);
    takeBackup(actor, backup).catch((error: unknown) => actor.happened('error', String(error)));
  }

  #seenPod(pod: V1Pod, deleted: boolean): void {
    const { namespace = '', name = '', labels, deletionTimestamp, uid } = pod.metadata ?? {};
    const actor = this.#actors.get(`${namespace}/${labels?.['cnpg.io/cluster'] ?? ''}`);
    if (actor !== undefined) actor.seen(pod, deleted);
    else if (deletionTimestamp !== undefined && !deleted && this.#nodes.runs(pod)) void this.#nodes.kubelets.remove(paths.core(namespace, 'pods', name), { gracePeriodSeconds: 0, preconditions: { uid } }).catch(() => undefined);
  }

  /** Ends every server and takes the nodes away; objects of Clusters stay. */
  async stop(): Promise<void> {
    await Promise.all([...this.#actors.values()].map((actor) => actor.stop()));
    await this.#poolers.close();
    // The API server may have ended before us.
    const late = setTimeout(() => this.#stopping.abort(), 2_000);
    await this.#nodes.stop();
    clearTimeout(late);
    this.#stopping.abort();
    await Promise.allSettled(this.#follows);
  }

  async set(switches: Partial<Switches>): Promise<Switches> {
    const failed = this.#switches.archivingFails;
    this.#switches = { ...this.#switches, ...switches };
    const stopFile = join(this.#around.place.folder, 'archiving-fails');
    await (this.#switches.archivingFails ? writeFile(stopFile, '') : rm(stopFile, { force: true }));
    const actors = [...this.#actors.values()];
    // An archiver that has failed sleeps for a minute, unless it is told to look at its configuration.
    if (failed && !this.#switches.archivingFails) await Promise.allSettled(actors.map(async (actor) => actor.primary?.server.query('SELECT pg_reload_conf()')));
    for (const actor of actors) actor.wake();
    return this.#switches;
  }

  instances(cluster: string): Promise<readonly InstanceFacts[]> {
    return Promise.resolve([...this.#actor(cluster).instances.values()].map(({ name, role, ready, running, server }) => ({ name, role, running, ready, port: server.port, pid: server.pid, dataDir: server.dataDir })));
  }

  happened(): Promise<readonly Happened[]> {
    return Promise.resolve(this.#events);
  }

  async freezeReceivers(cluster: string, names?: readonly string[]): Promise<string> {
    const actor = this.#actor(cluster);
    const { primary } = actor;
    if (primary === undefined) throw new Error(`${cluster} has no primary`);
    const replicas = actor.replicas.filter(({ name, running }) => running && names?.includes(name) !== false);
    const [row] = await primary.server.query<{ lsn: string }>('SELECT pg_current_wal_lsn()::text AS lsn');
    for (const { server } of replicas) {
      while (lsnNumber((await position(server)).replayed) < lsnNumber(row?.lsn ?? null)) await pause(5);
      const pid = await receiverPid(server);
      if (pid === undefined) throw new Error(`${server.name} has no WAL receiver`);
      process.kill(pid, 'SIGSTOP');
    }
    const held = await Promise.all(replicas.map(async ({ server }) => (await position(server)).received ?? '0/0'));
    actor.happened('receivers-frozen', held.join(' '));
    return held.toSorted((a, b) => Number(lsnNumber(b) - lsnNumber(a)))[0] ?? '0/0';
  }

  async thawReceivers(cluster: string): Promise<void> {
    for (const { server, running } of this.#actor(cluster).replicas) {
      const pid = running ? await receiverPid(server) : undefined;
      if (pid !== undefined) process.kill(pid, 'SIGCONT');
    }
  }

  async killServer(cluster: string, instance: string): Promise<void> {
    await this.#instance(cluster, instance).server.kill();
  }

  async loseReplica(cluster: string, instance: string): Promise<void> {
    await this.set({ staysAway: [...this.#switches.staysAway, instance] });
    await this.killServer(cluster, instance);
  }

  #instance(cluster: string, name: string): Instance {
    const instance = this.#actor(cluster).instances.get(name);
    if (instance === undefined) throw new Error(`${cluster} has no instance ${name}`);
    return instance;
  }

  #actor(cluster: string): ClusterActor {
    const actor = [...this.#actors.values()].find(({ name }) => name === cluster);
    if (actor === undefined) throw new Error(`no Cluster ${cluster}`);
    return actor;
  }
}
