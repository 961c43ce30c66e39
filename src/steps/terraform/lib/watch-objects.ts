import type { WatchContext } from '../../../engine/define-watcher.js';

/** S3 gives whole seconds, in ms. */
const second = 1_000;

/**
 * The states of many units, in the bucket connections of the environment. Each version says when it was written, so that it counts
 * as ours if a step that declares to change the infrastructure was at work then.
 */
export class ObjectWatch {
  #seen: Set<string> | undefined;

  constructor(private readonly connection: string, private readonly ctx: WatchContext) {}

  async begin(): Promise<void> {
    if (this.#buckets().length === 0) this.ctx.gap(`connection ${this.connection}: the environment has no bucket in which its states could be looked at`);
    this.#seen = new Set();
    for await (const { id } of this.#versions()) this.#seen.add(id);
  }

  /** How many states were compared. */
  async compare(): Promise<number> {
    const keys = new Set<string>();
    for await (const { id, bucket, key, version, at, deleteMarker } of this.#versions()) {
      keys.add(`${bucket}/${key}`);
      if (this.#seen?.has(id) !== false) continue;
      this.#seen.add(id);
      const change = deleteMarker ? 'deleted' : `serial ${await this.#serial(bucket, key, version)} written`;
      const until = new Date(Date.parse(at) + second - 1).toISOString();
      this.ctx.observed({ system: `infrastructure:${this.connection}`, object: `state ${key}`, actor: null, change, since: at, at: until, proof: 'none', scope: 'recovery-path' });
    }
    return keys.size;
  }

  async *#versions() {
    const { s3 } = this.ctx.ports;
    for (const bucket of this.#buckets()) {
      for (const key of await s3.keys(bucket, '.tfstate')) {
        // Oldest first, as they came. Without versions one id stands for all of them.
        for (const version of (await s3.versions(bucket, key)).toReversed()) yield { ...version, bucket, key, id: JSON.stringify([bucket, key, version.version, version.at]) };
      }
    }
  }

  #buckets(): string[] {
    return [...this.ctx.world.connections].filter(([, { kind }]) => kind === 'bucket').map(([name]) => name);
  }

  async #serial(bucket: string, key: string, version: string): Promise<number | string> {
    try {
      return this.ctx.ports.infrastructure.facts(await this.ctx.ports.s3.read(bucket, key, version)).serial;
    } catch {
      // Gone since, or no state: that it was written stands.
      return 'unknown';
    }
  }
}
