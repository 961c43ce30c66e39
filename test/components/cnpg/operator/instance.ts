import { isDeepStrictEqual } from 'node:util';
import type { V1Pod } from '@kubernetes/client-node';
import type { ApiClient } from '../api/client.js';
import { paths, type Cluster } from '../api/types.js';
import type { Server } from '../postgres/server.js';
import type { ServerPlan } from '../postgres/settings.js';
import type { Nodes } from './nodes.js';
import { imageOf, podOf, podStatusOf, type InstanceRole } from './objects.js';

/** A pod that is given less than this to end is killed at once: so is its server. In s. */
const politeSeconds = 10;

/** One instance: its server, and the pod that stands for it. Here is what the kubelet does and the instance manager in the pod. */
export class Instance {
  role: InstanceRole;
  /** As the readiness probe would find it, and as Services go by. */
  ready = false;
  /** Kept from running on purpose, by fencing or hibernation. */
  fenced = false;
  /** Its data are of a timeline that the primary has left: to be cloned again. */
  diverged = false;
  #podUid: string | undefined;
  #leaving = false;
  #restarts = 0;
  #plan: ServerPlan | undefined;
  #reported: { readonly ready: boolean } | undefined;
  readonly #address: string;

  constructor(readonly name: string, readonly serial: number, role: InstanceRole, readonly server: Server, private readonly api: ApiClient, private readonly nodes: Nodes, private readonly wake: () => void) {
    this.role = role;
    this.#address = `198.51.100.${(server.port % 250) + 1}`;
    server.ended = () => {
      this.ready = false;
      wake();
    };
  }

  get hasPod(): boolean {
    return this.#podUid !== undefined && !this.#leaving;
  }

  /** Does the API server still say that the pod is ready? */
  get saidReady(): boolean {
    return this.hasPod && this.#reported?.ready === true;
  }

  get running(): boolean {
    return this.server.pid !== undefined;
  }

  async configure(plan: ServerPlan): Promise<void> {
    if (isDeepStrictEqual(this.#plan, plan)) return;
    await this.server.configure(plan);
    this.#plan = plan;
  }

  /** The next configuration is written whatever it is: the folder is a new one. */
  forgetPlan(): void {
    this.#plan = undefined;
  }

  async createPod(cluster: Cluster): Promise<void> {
    const pod = await this.api.create<V1Pod>(paths.core(cluster.metadata.namespace, 'pods'), podOf(cluster, this.name, this.role, this.nodes.nodeOf(this.serial)));
    this.#podUid = pod.metadata?.uid;
    this.#leaving = false;
    this.#restarts = 0;
    this.#reported = undefined;
    await this.report(cluster, { waiting: { reason: 'ContainerCreating', message: '' } });
  }

  /** Writes what the kubelet would: whether the container is ready, and why it is not. */
  async report(cluster: Cluster, options: { readonly waiting?: { readonly reason: string; readonly message: string }; readonly restarted?: boolean } = {}): Promise<void> {
    if (options.restarted === true) this.#restarts += 1;
    this.ready = this.running && options.waiting === undefined && this.hasPod;
    if (!this.hasPod) return;
    const known = { ready: this.ready, restarts: this.#restarts, ...(options.waiting === undefined ? {} : { waiting: options.waiting }) };
    if (isDeepStrictEqual(known, this.#reported)) return;
    this.#reported = known;
    const facts = { ...known, startedAt: new Date().toISOString() };
    await this.nodes.kubelets.merge(`${paths.core(cluster.metadata.namespace, 'pods', this.name)}/status`, podStatusOf(imageOf(cluster), this.#address, facts)).catch((error: unknown) => this.#unlessGone(error));
  }

  async label(cluster: Cluster, role: InstanceRole): Promise<void> {
    if (this.role === role) return;
    if (this.hasPod) await this.api.merge(paths.core(cluster.metadata.namespace, 'pods', this.name), { metadata: { labels: { 'cnpg.io/instanceRole': role, role } } }).catch((error: unknown) => this.#unlessGone(error));
    this.role = role;
  }

  /** What the API server tells of the pod: one that is being deleted is let go, at once or in good order. */
  async seen(pod: V1Pod, deleted: boolean): Promise<void> {
    const { metadata } = pod;
    if (metadata === undefined || metadata.uid !== this.#podUid || this.#podUid === undefined) return;
    if (deleted) {
      this.#podUid = undefined;
      this.ready = false;
      await this.server.kill();
      this.wake();
    } else if (metadata.deletionTimestamp !== undefined && !this.#leaving) {
      this.#leaving = true;
      this.ready = false;
      await ((metadata.deletionGracePeriodSeconds ?? 0) < politeSeconds ? this.server.kill() : this.server.stop());
      await this.nodes.kubelets.remove(paths.core(metadata.namespace ?? '', 'pods', this.name), { gracePeriodSeconds: 0, preconditions: { uid: this.#podUid } });
      this.wake();
    }
  }

  async removePod(cluster: Cluster): Promise<void> {
    if (this.hasPod) await this.api.remove(paths.core(cluster.metadata.namespace, 'pods', this.name));
  }

  #unlessGone(error: unknown): void {
    if (this.hasPod) throw error;
  }
}
