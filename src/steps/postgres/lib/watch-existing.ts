import type { PostgresSession } from '../../../clients/postgres/port.js';
import type { WatchContext } from '../../../engine/define-watcher.js';
import { messageOf } from '../../../engine/errors.js';
import { one, withSession } from './session.js';
import { differences, readFacts, type ServerFacts } from './watch-facts.js';
import { actorOf, ComparisonTimes, isOurs, type Seen, type ServerWatch, type Watched } from './watch-server.js';

interface Client extends Record<string, unknown> {
  readonly application: string;
  readonly username: string | null;
  readonly writes: boolean;
}

/**
 * A server that is not ours to configure. Nothing there says what a client said once it is gone, so its counters, its catalog
 * and its settings are compared, and the sessions that are seen while we look are named.
 */
export class CountedServer implements ServerWatch {
  #session: PostgresSession | undefined;
  #baseline: ServerFacts | undefined;
  #lostSince: string | undefined;
  #lookedAt: string;
  readonly #due = new ComparisonTimes();

  constructor(
    private readonly watched: Watched,
    private readonly ctx: WatchContext,
  ) {
    this.#lookedAt = ctx.clock.now().at;
  }

  async begin(): Promise<void> {
    // A copy that an operator is to make: its baseline is taken as soon as it has an address.
    if (typeof this.ctx.world.connections.get(this.watched.connection)?.details['host'] !== 'string') return;
    this.#baseline = await this.#facts();
    await this.#sessions();
    const { rights } = await withSession(this.ctx, this.#address, { effect: 'read', label: 'rights' }, (session) =>
      one<{ rights: boolean }>(session, "SELECT pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') AS rights"),
    );
    if (!rights) this.ctx.gap(`${this.watched.connection}: without the role pg_read_all_stats it is not seen which of the others' sessions write`);
    if (this.#baseline.access === null) this.ctx.log(`${this.watched.connection}: pg_hba_file_rules may not be read: changes of pg_hba.conf are not seen`);
  }

  async turn(): Promise<void> {
    try {
      if (this.#baseline === undefined) return await this.begin();
      await this.#sessions();
      if (this.#due.take()) {
        const now = await this.#facts();
        this.#compare(this.#baseline, now);
        this.#baseline = now;
      }
      this.#lostSince = undefined;
    } catch (error) {
      this.ctx.signal.throwIfAborted();
      await this.#session?.close().catch(() => undefined);
      this.#session = undefined;
      if (this.#lostSince === undefined) this.ctx.log(`${this.watched.connection}: ${messageOf(error)}`);
      this.#lostSince ??= this.ctx.clock.now().at;
    }
  }

  async end(): Promise<number> {
    await this.turn();
    await this.#session?.close().catch(() => undefined);
    const baseline = this.#baseline;
    if (baseline === undefined) return 0;
    let now: ServerFacts;
    try {
      now = await this.#facts();
    } catch (error) {
      // The store that the drill has lost cannot be asked any more: what it was told before is not lost with it.
      this.ctx.gap(`${this.watched.connection}: it cannot be compared at the end: ${messageOf(error)}`);
      return 0;
    }
    this.#compare(baseline, now);
    return 1 + now.settings.size + now.relations.size + now.written.size;
  }

  stepEnded(): void {
    this.#due.add();
  }

  #compare(before: ServerFacts, after: ServerFacts): void {
    for (const difference of differences(before, after)) this.#observe({ ...difference, actor: null, proof: 'none' });
  }

  get #address() {
    return { connection: this.watched.connection };
  }

  #facts(): Promise<ServerFacts> {
    return withSession(this.ctx, this.#address, { effect: 'read', label: 'facts', statementTimeoutMs: 60_000 }, readFacts);
  }

  async #sessions(): Promise<void> {
    this.#session ??= await this.ctx.ports.postgres.connect(this.#address, { effect: 'read', label: 'sessions', statementTimeoutMs: 10_000 });
    const { rows } = await this.#session.query<Client>(
      "SELECT DISTINCT coalesce(application_name, '') AS application, usename::text AS username, backend_xid IS NOT NULL AS writes FROM pg_stat_activity WHERE backend_type IN ('client backend', 'walsender', 'pg_cron launcher')",
    );
    const since = this.#lookedAt;
    this.#lookedAt = this.ctx.clock.now().at;
    for (const { application, username, writes } of rows) {
      if (isOurs(application, this.ctx.runId)) continue;
      const actor = actorOf(application, username ?? '?');
      if (writes) this.#observe({ object: 'database', change: 'transaction that writes', actor, proof: 'another', since });
      else this.#observe({ object: 'session', change: 'connected', actor, proof: 'another', since, scope: 'elsewhere' });
    }
  }

  #observe(what: Seen): void {
    this.ctx.observed({ system: `postgres:${this.watched.connection}`, scope: this.watched.scope, ...what });
  }
}
