import { fork, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { V1Secret, V1Service } from '@kubernetes/client-node';
import { packageRoot } from '../../../src/engine/package-root.js';
import { ApiClient } from './api/client.js';
import { barmanGroup, group, paths, phases, pluginName, type Cluster, type ClusterSpec } from './api/types.js';
import type { Answer, Call } from './channel.js';
import type { Control } from './switches.js';

export type { Control, Happened, InstanceFacts, Switches } from './switches.js';

export interface CnpgOptions {
  /** Of users who may do everything on a cluster that the stand-in has for itself: by names of kubernetes/access.ts. */
  readonly kubeconfigOf: (user: string) => string;
  /** Made if it is not there. `databases` by default. */
  readonly namespace?: string;
  /** `app-db` by default. */
  readonly cluster?: string;
  /** 3 by default. */
  readonly instances?: number;
  /** How many standbys a commit waits for: 0, which is asynchronous, by default. */
  readonly synchronous?: number;
  /** Where it archives to and how that is written in the Cluster; `plugin` by default. */
  readonly archive?: 'plugin' | 'in-tree' | 'none';
  /** A Pooler of that name, type rw. */
  readonly pooler?: string;
  /** How long the primary's Lease lasts, in s: the least time between an abrupt loss and a promotion. The real one takes 15; 2 by default. */
  readonly leaseSeconds?: number;
  /** Merged into the Cluster's spec. */
  readonly spec?: Partial<ClusterSpec>;
}

export interface Cnpg {
  /** Of the operator. */
  readonly kubeconfig: string;
  readonly namespace: string;
  readonly cluster: string;
  /** The name of the ObjectStore that it archives to by the plugin, which is there whatever `archive` says. */
  readonly objectStore: string;
  /** destinationPath of that store and of the in-tree form. */
  readonly destinationPath: string;
  readonly control: Control;
  readonly api: ApiClient;
  readonly pid: number;
  /** Where a Service or Pooler is published. */
  address(service: string): Promise<{ readonly host: string; readonly port: number }>;
  credentials(cluster: string, user: 'app' | 'superuser'): Promise<{ readonly user: string; readonly password: string; readonly database: string }>;
  /** Waits until a Cluster is in the healthy state with all its instances. Throws after `withinMs`, 120 s by default. */
  healthy(cluster?: string, withinMs?: number): Promise<Cluster>;
  /** Ends the operator and all servers, and removes their folder and nodes. The namespace and its objects stay. */
  stop(): Promise<void>;
}

/** The operator's process and the channel to it. */
class OperatorProcess {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #last = 0;
  readonly ended: Promise<unknown>;

  constructor() {
    this.#child = fork(join(packageRoot(), 'test/components/cnpg/child.mjs'), [], { cwd: packageRoot(), execArgv: [], env: { PATH: process.env['PATH'], HOME: tmpdir(), TMPDIR: tmpdir() }, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.ended = once(this.#child, 'exit');
    this.#child.on('message', (answer: Answer) => this.#waiting.get(answer.id)?.(answer));
    void this.ended.then(() => {
      for (const [id, answered] of this.#waiting) answered({ id, error: "the operator's process has ended" });
    });
  }

  get pid(): number {
    return this.#child.pid ?? -1;
  }

  async call(call: Call extends infer C ? (C extends Call ? Omit<C, 'id'> : never) : never): Promise<unknown> {
    if (!this.#child.connected) throw new Error("the operator's process has ended");
    const id = (this.#last += 1);
    const answer = await new Promise<Answer>((resolve) => {
      this.#waiting.set(id, resolve);
      this.#child.send({ ...call, id } satisfies Call);
    });
    this.#waiting.delete(id);
    if (answer.error !== undefined) throw new Error(`stand-in operator: ${answer.error}`);
    return answer.value;
  }

  async end(): Promise<void> {
    if (this.#child.connected) this.#child.disconnect();
    await this.ended;
  }
}

function controlOf(operator: OperatorProcess): Control {
  const to = (method: keyof Control) => (...args: readonly unknown[]) => operator.call({ method, args }) as Promise<never>;
  return {
    set: to('set'),
    instances: to('instances'),
    happened: to('happened'),
    freezeReceivers: to('freezeReceivers'),
    thawReceivers: to('thawReceivers'),
    killServer: to('killServer'),
    loseReplica: to('loseReplica'),
  };
}

/** Starts the stand-in operator on a Kubernetes cluster, and on it one Cluster, and waits until that is healthy. */
export async function startCnpg(options: CnpgOptions): Promise<Cnpg> {
  const { kubeconfigOf, namespace = 'databases', cluster = 'app-db' } = options;
  const kubeconfig = kubeconfigOf('cnpg');
  // Short: a socket's path may have 107 characters.
  const folder = await mkdtemp(join(tmpdir(), 'muster-cnpg-'));
  await chmod(folder, 0o755);
  const ended = new AbortController();
  const api = new ApiClient(kubeconfig, ended.signal);
  const operator = new OperatorProcess();
  const stop = async (): Promise<void> => {
    await operator.call({ method: 'stop' }).catch(() => undefined);
    await operator.end();
    ended.abort();
    await rm(folder, { recursive: true, force: true });
  };
  const objectStore = `${cluster}-store`;
  const destinationPath = 's3://database-backups/';
  const cnpg: Cnpg = {
    kubeconfig,
    namespace,
    cluster,
    objectStore,
    destinationPath,
    control: controlOf(operator),
    api,
    pid: operator.pid,
    async address(service) {
      const { spec, status } = await api.get<V1Service>(paths.core(namespace, 'services', service));
      return { host: status?.loadBalancer?.ingress?.[0]?.ip ?? '', port: spec?.ports?.[0]?.port ?? 0 };
    },
    async credentials(of, user) {
      const { data } = await api.get<V1Secret>(paths.core(namespace, 'secrets', `${of}-${user}`));
      const text = (key: string): string => Buffer.from(data?.[key] ?? '', 'base64').toString();
      return { user: text('username'), password: text('password'), database: user === 'app' ? text('dbname') : 'postgres' };
    },
    async healthy(of = cluster, withinMs = 30_000) {
      const until = performance.now() + withinMs;
      for (;;) {
        const found = await api.get<Cluster>(paths.clusters(namespace, of));
        if (found.status?.phase === phases.healthy && found.status['readyInstances'] === found.spec.instances) return found;
        if (performance.now() > until) throw new Error(`${of} is not healthy within ${withinMs} ms: ${JSON.stringify(found.status)}\n${JSON.stringify(await cnpg.control.happened())}`);
        await pause(50);
      }
    },
    stop,
  };
  try {
    await operator.call({ method: 'start', start: { folder, kubeconfigs: { operator: kubeconfig, instances: kubeconfigOf('cnpg-instance'), kubelets: kubeconfigOf('cnpg-kubelet'), cloud: kubeconfigOf('cloud') }, nodePrefix: `cnpg-${randomBytes(3).toString('hex')}`, leaseSeconds: options.leaseSeconds ?? 2 } });
    await api.create('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
    await api.create(paths.objectStores(namespace), { apiVersion: `${barmanGroup}/v1`, kind: 'ObjectStore', metadata: { name: objectStore, namespace }, spec: { configuration: { destinationPath } } });
    await api.create(paths.clusters(namespace), { apiVersion: `${group}/v1`, kind: 'Cluster', metadata: { name: cluster, namespace }, spec: { ...specOf(options, objectStore, destinationPath), ...options.spec } });
    if (options.pooler !== undefined) await api.create(paths.poolers(namespace), { apiVersion: `${group}/v1`, kind: 'Pooler', metadata: { name: options.pooler, namespace }, spec: { cluster: { name: cluster }, type: 'rw', instances: 1, pgbouncer: { poolMode: 'session' } } });
    await cnpg.healthy();
    return cnpg;
  } catch (error) {
    await stop();
    throw error;
  }
}

function specOf(options: CnpgOptions, objectStore: string, destinationPath: string): ClusterSpec {
  const { instances = 3, synchronous = 0, archive = 'plugin' } = options;
  return {
    instances,
    enableSuperuserAccess: true,
    postgresql: { parameters: { track_commit_timestamp: 'on' }, ...(synchronous === 0 ? {} : { synchronous: { method: 'any', number: synchronous } }) },
    bootstrap: { initdb: { database: 'app', owner: 'app' } },
    ...(archive === 'plugin' ? { plugins: [{ name: pluginName, isWALArchiver: true, parameters: { barmanObjectName: objectStore } }] } : {}),
    ...(archive === 'in-tree' ? { backup: { barmanObjectStore: { destinationPath } } } : {}),
  };
}
