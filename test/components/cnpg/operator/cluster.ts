import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { V1Pod } from '@kubernetes/client-node';
import { freePort } from '../../../../src/clients/provision/lib/free-port.js';
import { type ApiClient, ApiError } from '../api/client.js';
import { paths, pendingPrimary, phases, type Cluster } from '../api/types.js';
import { baseCopy } from '../postgres/base-copy.js';
import type { Place } from '../postgres/place.js';
import { Server } from '../postgres/server.js';
import { archiveInto, quotedName, type ServerPlan } from '../postgres/settings.js';
import type { Happened, Stage, Switches } from '../switches.js';
import { archiveOf, type Archive } from './archive.js';
import { bootstrap } from './bootstrap.js';
import { failOver, switchOver } from './failover.js';
import { fence, hibernate, hibernation, isHibernated } from './fencing.js';
import { Instance } from './instance.js';
import { PrimaryLease } from './lease.js';
import type { Nodes } from './nodes.js';
import { report } from './report.js';
import { ClusterServices } from './services.js';
import { StatusWriter } from './status.js';

/** What all clusters of the operator have in common. */
export interface Surroundings {
  readonly api: ApiClient;
  /** Of the instance managers in the pods. */
  readonly instances: ApiClient;
  /** Of what publishes addresses of Services. */
  readonly cloud: ApiClient;
  readonly nodes: Nodes;
  readonly place: Place;
  readonly leaseSeconds: number;
  switches(): Switches;
  happened(event: Omit<Happened, 'at'>): void;
}

const roundMs = 500;

/** One Cluster: a loop that brings what is to what its object asks for, as the real operator's reconciler does. */
export class ClusterActor {
  readonly instances = new Map<string, Instance>();
  readonly status: StatusWriter;
  readonly lease: PrimaryLease;
  readonly services: ClusterServices;
  readonly signal: AbortSignal;
  readonly name: string;
  archive: Archive | undefined;
  systemId = '';
  /** The instance that was promoted last. */
  primary: Instance | undefined;
  readonly #stopped = new AbortController();
  readonly folder: string;
  #latest = 0;
  #wake: () => void = () => undefined;
  #woken = false;
  #work: Promise<void> | undefined;

  constructor(public cluster: Cluster, readonly around: Surroundings) {
    const { name, namespace, uid } = cluster.metadata;
    this.name = name;
    this.signal = this.#stopped.signal;
    this.status = new StatusWriter(around.api, cluster);
    this.lease = new PrimaryLease(around.instances, cluster, around.leaseSeconds);
    this.services = new ClusterServices(this);
    this.folder = join(around.place.folder, 'pg', `${namespace}.${uid.slice(0, 8)}`);
  }

  get replicas(): Instance[] {
    return [...this.instances.values()].filter((instance) => instance !== this.primary);
  }

  start(): void {
    this.#work = this.#loop();
  }

  /** Ends its servers and addresses. Objects are left to the garbage collector. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    this.wake();
    await this.#work;
    this.lease.lost();
    await this.services.close();
    await Promise.all([...this.instances.values()].map(({ server }) => server.kill()));
  }

  wake(): void {
    this.#woken = true;
    this.#wake();
  }

  seen(pod: V1Pod, deleted: boolean): void {
    const instance = this.instances.get(pod.metadata?.name ?? '');
    instance?.seen(pod, deleted).catch((error: unknown) => this.happened('kubelet-error', String(error)));
  }

  happened(what: string, detail = ''): void {
    this.around.happened({ cluster: this.name, what, detail });
  }

  async slow(stage: Stage): Promise<void> {
    const ms = this.around.switches().slow[stage] ?? 0;
    if (ms > 0) await pause(ms, undefined, { signal: this.signal });
  }

  async #loop(): Promise<void> {
    while (!this.signal.aborted) {
      this.#woken = false;
      try {
        await this.#round();
      } catch (error) {
        if (this.signal.aborted) return;
        if (error instanceof ApiError && error.status === 404) return;
        this.happened('error', error instanceof Error ? (error.stack ?? error.message) : String(error));
        this.#woken = false;
      }
      if (this.#woken) continue;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, roundMs);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  async #round(): Promise<void> {
    this.cluster = await this.around.api.get<Cluster>(paths.clusters(this.cluster.metadata.namespace, this.name));
    this.status.seen(this.cluster);
    this.archive ??= await archiveOf(this.cluster, this.around.api, this.around.place);
    await this.services.open();
    if (this.primary === undefined) {
      await bootstrap(this);
      return;
    }
    if (isHibernated(this.cluster)) {
      await hibernate(this);
      return;
    }
    if (this.status.current.conditions?.some(({ type, status }) => type === hibernation && status === 'True') === true) await this.status.condition({ type: hibernation, status: 'False', reason: 'Dehydrated', message: 'Cluster is no longer hibernated' });
    await fence(this);
    for (const instance of this.instances.values()) if (!instance.running && instance.saidReady) await instance.report(this.cluster);
    const { primary } = this;
    if (!primary.running && !primary.fenced) {
      if (this.replicas.some(({ running, fenced }) => running && !fenced)) await failOver(this, primary);
      else await this.#restart(primary);
    }
    const wanted = this.status.current.targetPrimary;
    const target = wanted === undefined || wanted === this.primary.name ? undefined : this.instances.get(wanted);
    if (target?.running === true && wanted !== pendingPrimary) await switchOver(this, this.primary, target);
    await this.configureAll();
    for (const replica of this.replicas) {
      if (!replica.running && !replica.fenced) await this.#bringBack(replica);
    }
    if (this.instances.size < this.cluster.spec.instances) await this.#addReplica();
    await report(this);
  }

  /** The only instance: nobody to fail over to, so it recovers by itself. */
  async #restart(instance: Instance): Promise<void> {
    await this.status.phase(phases.waiting, 'Some instances are not yet active. Please wait.');
    if (!instance.hasPod) await instance.createPod(this.cluster);
    await instance.server.start(this.signal);
    await instance.report(this.cluster, { restarted: true });
    this.happened('restarted', instance.name);
  }

  newInstance(role: 'primary' | 'replica', port: number): Instance {
    this.#latest += 1;
    const name = `${this.name}-${this.#latest}`;
    const server = new Server(name, port, this.around.place, join(this.folder, String(this.#latest)));
    const instance = new Instance(name, this.#latest, role, server, this.around.api, this.around.nodes, () => this.wake());
    this.instances.set(name, instance);
    return instance;
  }

  get latestSerial(): number {
    return this.#latest;
  }

  async #addReplica(): Promise<void> {
    const name = `${this.name}-${this.#latest + 1}`;
    await this.status.phase(phases.replica, `Creating replica ${name}`, { latestGeneratedNode: this.#latest + 1 });
    await this.slow('replica');
    const replica = this.newInstance('replica', await freePort());
    await replica.createPod(this.cluster);
    await this.#clone(replica);
    this.happened('replica-created', replica.name);
    this.wake();
  }

  /** A pod that was deleted is made anew; what it had is used again if the primary can go on from there. */
  async #bringBack(replica: Instance): Promise<void> {
    await this.status.phase(phases.waiting, 'Some instances are not yet active. Please wait.');
    const restarted = replica.hasPod;
    if (!replica.hasPod) await replica.createPod(this.cluster);
    if (this.around.switches().staysAway.includes(replica.name)) {
      await replica.report(this.cluster, { waiting: { reason: 'CrashLoopBackOff', message: 'back-off restarting failed container' } });
      return;
    }
    await this.slow('rejoin');
    if (replica.diverged) {
      await this.#clone(replica);
      replica.diverged = false;
    } else {
      await replica.configure(this.planOf(replica));
      await replica.server.signalFile('standby.signal', true);
      await replica.server.start(this.signal);
      await replica.report(this.cluster, { restarted });
    }
    this.happened('rejoined', replica.name);
  }

  async #clone(replica: Instance): Promise<void> {
    if (this.primary === undefined) throw new Error('there is no primary to clone from');
    await replica.server.prepare();
    await baseCopy(this.primary.server, replica.server.dataDir, replica.name, this.signal);
    replica.forgetPlan();
    await replica.configure(this.planOf(replica));
    await replica.server.signalFile('standby.signal', true);
    await replica.server.start(this.signal);
    await replica.report(this.cluster);
  }

  async configureAll(): Promise<void> {
    for (const instance of this.instances.values()) if (instance.running) await instance.configure(this.planOf(instance));
  }

  /** `alone`: not to stream from anybody. */
  planOf(instance: Instance, alone = false): ServerPlan {
    const { primary } = this;
    const upstream = instance === primary || primary === undefined || alone ? undefined : { socketDir: primary.server.socketDir, port: primary.server.port };
    return {
      name: instance.name,
      port: instance.server.port,
      socketDir: instance.server.socketDir,
      parameters: this.cluster.spec.postgresql?.parameters ?? {},
      synchronous: instance === primary ? this.#synchronousNames(instance) : '',
      archiveCommand: this.archive === undefined ? '/bin/true' : archiveInto(this.archive.wals, this.stopFile),
      upstream,
      recovery: {},
    };
  }

  /** While it is there, archiving fails. */
  get stopFile(): string {
    return join(this.around.place.folder, 'archiving-fails');
  }

  #synchronousNames(primary: Instance): string {
    const asked = this.cluster.spec.postgresql?.synchronous;
    if (asked === undefined) return '';
    const others = [...this.instances.values()].filter((instance) => instance !== primary && (asked.dataDurability !== 'preferred' || instance.ready));
    const count = asked.dataDurability === 'preferred' ? Math.min(asked.number, others.length) : asked.number;
    return count === 0 || others.length === 0 ? '' : `${asked.method.toUpperCase()} ${count} (${others.map(({ name }) => quotedName(name)).join(', ')})`;
  }
}
