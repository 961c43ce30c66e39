import type { PostgresSession } from '../../../clients/postgres/port.js';
import type { WatchContext } from '../../../engine/define-watcher.js';

interface ArchiverRow extends Record<string, unknown> {
  readonly last: string | null;
  readonly count: string;
  readonly system: string;
  readonly timeline: string;
}

/** What one server that archives says about it. A server that is lost goes on standing for what it said last. */
export class Archiver {
  #session: PostgresSession | undefined;
  /** The last segment that it says it has archived, by timeline. */
  readonly #upTo = new Map<string, string>();
  #first: bigint | undefined;
  #count = 0n;
  #reset = false;
  #timeline = 0;
  systemId: string | undefined;
  /** When it answered last, ms since the epoch. */
  heardMs = 0;
  /** Did it answer the last time that it was asked? */
  answers = false;

  constructor(
    readonly connection: string,
    private readonly ctx: WatchContext,
  ) {}

  async ask(): Promise<void> {
    try {
      this.#session ??= await this.ctx.ports.postgres.connect({ connection: this.connection }, { effect: 'read', label: 'archiver', connectTimeoutMs: 2_000, statementTimeoutMs: 5_000 });
      const { rows } = await this.#session.query<ArchiverRow>(
        'SELECT last_archived_wal AS last, archived_count::text AS count, (SELECT system_identifier::text FROM pg_control_system()) AS system, (SELECT timeline_id::text FROM pg_control_checkpoint()) AS timeline FROM pg_stat_archiver',
      );
      const row = rows[0];
      if (row === undefined) return;
      this.answers = true;
      this.heardMs = Date.now();
      this.systemId = row.system;
      this.#timeline = Number(row.timeline);
      const count = BigInt(row.count);
      this.#first ??= count;
      this.#reset ||= count < this.#count;
      this.#count = count;
      const segment = /^[0-9A-F]{24}/.exec(row.last ?? '')?.[0];
      if (segment !== undefined && segment > (this.#upTo.get(segment.slice(0, 8)) ?? '')) this.#upTo.set(segment.slice(0, 8), segment);
    } catch (error) {
      this.answers = false;
      await this.close();
      this.ctx.signal.throwIfAborted();
      if (this.systemId === undefined) this.ctx.log(`${this.connection}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  /** Segments are archived in order: what is not after the last one was its doing. */
  hasArchived(name: string): boolean {
    const history = /^([0-9A-F]{8})\.history/.exec(name)?.[1];
    if (history !== undefined) return Number.parseInt(history, 16) <= this.#timeline;
    return name.slice(0, 24) <= (this.#upTo.get(name.slice(0, 8)) ?? '');
  }

  /** How many files it has archived since it was asked first; undefined when its statistics began anew. */
  get archived(): number | undefined {
    return this.#first === undefined || this.#reset ? undefined : Number(this.#count - this.#first);
  }

  async close(): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    await session?.close().catch(() => undefined);
  }
}
