import { Agent, request, type RequestOptions } from 'node:https';
import { setTimeout as pause } from 'node:timers/promises';
import { KubeConfig, Watch, type KubernetesObject } from '@kubernetes/client-node';

export type Body = Readonly<Record<string, unknown>>;

/** An answer of the API server other than 2xx. */
export class ApiError extends Error {
  constructor(readonly status: number, readonly reason: string, message: string) {
    super(message);
    this.name = 'ApiError';
  }
}

/** The API server takes the name of a field manager from it: `manager`, as it is for the real operator, whose program has that name. */
const operatorAgent = 'manager/1.30 (stand-in)';

const restartedMs = 120_000;

/**
 * The few calls that the stand-in needs, by path. A server that is away (restarted in mid-drill) or busy is asked again for
 * two minutes, as controllers do.
 */
export class ApiClient {
  readonly config = new KubeConfig();
  readonly #agent = new Agent({ keepAlive: true });
  readonly #signal: AbortSignal;

  constructor(kubeconfig: string, signal: AbortSignal, private readonly userAgent = operatorAgent) {
    this.config.loadFromFile(kubeconfig);
    this.#signal = signal;
  }

  async get<T extends KubernetesObject>(path: string): Promise<T> {
    return this.#send<T>('GET', path);
  }

  /** undefined when there is no such object. */
  async find<T extends KubernetesObject>(path: string): Promise<T | undefined> {
    return this.get<T>(path).catch((error: unknown) => (error instanceof ApiError && error.status === 404 ? undefined : Promise.reject(error as Error)));
  }

  /** Leaves an object of that name alone. */
  async create<T extends KubernetesObject>(path: string, body: Body): Promise<T> {
    const name = (body['metadata'] as { name?: string } | undefined)?.name ?? '';
    try {
      return await this.#send<T>('POST', path, body);
    } catch (error) {
      if (error instanceof ApiError && error.reason === 'AlreadyExists') return this.get<T>(`${path}/${name}`);
      throw error;
    }
  }

  async merge<T extends KubernetesObject>(path: string, body: Body): Promise<T> {
    return this.#send<T>('PATCH', path, body, 'application/merge-patch+json');
  }

  async replace<T extends KubernetesObject>(path: string, body: Body): Promise<T> {
    return this.#send<T>('PUT', path, body);
  }

  /** Something that is not there is fine. */
  async remove(path: string, options: Body = {}): Promise<void> {
    try {
      await this.#send('DELETE', path, { kind: 'DeleteOptions', apiVersion: 'v1', ...options });
    } catch (error) {
      if (!(error instanceof ApiError) || (error.status !== 404 && error.status !== 409)) throw error;
    }
  }

  /** Lists, then watches, and does both again when the watch ends. `deleted` tells a removal; a relist repeats what stands. */
  async follow<T extends KubernetesObject>(path: string, seen: (object: T, deleted: boolean) => void, labelSelector?: string): Promise<void> {
    let known = new Map<string, T>();
    while (!this.#signal.aborted) {
      const list = await this.get<KubernetesObject & { items: T[]; metadata: { resourceVersion: string } }>(labelSelector === undefined ? path : `${path}?labelSelector=${encodeURIComponent(labelSelector)}`);
      const current = new Map(list.items.map((item) => [item.metadata?.uid ?? '', item]));
      for (const [uid, object] of known) if (!current.has(uid)) seen(object, true);
      for (const object of current.values()) seen(object, false);
      known = current;
      await new Promise<void>((resolve) => {
        new Watch(this.config)
          .watch(
            path,
            { resourceVersion: list.metadata.resourceVersion, labelSelector },
            (phase, object: T) => {
              if (phase !== 'ADDED' && phase !== 'MODIFIED' && phase !== 'DELETED') return;
              if (phase === 'DELETED') known.delete(object.metadata?.uid ?? '');
              else known.set(object.metadata?.uid ?? '', object);
              seen(object, phase === 'DELETED');
            },
            () => resolve(),
          )
          .then(
            (controller) => {
              const stop = (): void => controller.abort();
              this.#signal.addEventListener('abort', stop, { once: true });
              controller.signal.addEventListener('abort', () => this.#signal.removeEventListener('abort', stop), { once: true });
            },
            () => resolve(),
          );
      });
      if (!this.#signal.aborted) await pause(50);
    }
  }

  async #send<T>(method: string, path: string, body?: Body, type = 'application/json'): Promise<T> {
    const until = performance.now() + restartedMs;
    for (;;) {
      try {
        const { status, text } = await this.#once(method, path, body, type);
        const answer: unknown = text === '' ? {} : JSON.parse(text);
        if (status < 300) return answer as T;
        const { reason = '', message = text } = answer as { reason?: string; message?: string };
        throw new ApiError(status, reason, `${method} ${path}: ${status} ${message}`);
      } catch (error) {
        const final = error instanceof ApiError && error.status < 500 && error.status !== 429;
        if (final || this.#signal.aborted || performance.now() > until) throw error;
        await pause(100, undefined, { signal: this.#signal });
      }
    }
  }

  async #once(method: string, path: string, body: Body | undefined, type: string): Promise<{ status: number; text: string }> {
    const cluster = this.config.getCurrentCluster();
    if (cluster === null) throw new Error('the kubeconfig names no cluster');
    const text = body === undefined ? '' : JSON.stringify(body);
    // Node tells the length of no DELETE by itself, whose body would then be overlooked.
    const given: RequestOptions = { method, headers: { 'content-type': type, 'content-length': Buffer.byteLength(text), accept: 'application/json', 'user-agent': this.userAgent } };
    await this.config.applyToHTTPSOptions(given);
    // The agent that it makes is a new one for every call; only what it was told about certificates is of use.
    const rejectUnauthorized = given.agent instanceof Agent ? (given.agent.options.rejectUnauthorized ?? true) : true;
    Object.assign(given, { rejectUnauthorized, agent: this.#agent });
    return new Promise((resolve, reject) => {
      const sent = request(new URL(path, cluster.server), given, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        response.once('end', () => resolve({ status: response.statusCode ?? 0, text }));
        response.once('error', reject);
      });
      sent.setTimeout(30_000, () => sent.destroy(new Error(`${method} ${path}: no answer within 30 s`)));
      sent.once('error', reject);
      sent.end(text);
    });
  }
}
