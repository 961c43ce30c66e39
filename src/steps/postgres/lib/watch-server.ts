import type { LocalDetails } from '../../../clients/postgres/details.js';
import type { Observation, WatchContext } from '../../../engine/define-watcher.js';
import { messageOf } from '../../../engine/errors.js';
import { withSession } from './session.js';
import { differences, readFacts, statisticsMs, type ServerFacts } from './watch-facts.js';
import { LogTail, type LogEntry } from './watch-log.js';
import { effectsOf } from './watch-statement.js';

/** Watches one server. */
export interface ServerWatch {
  /** Takes the baseline if the server runs; else as soon as it does. */
  begin(): Promise<void>;
  /** A step that may have altered it has ended. */
  stepEnded(): void;
  /** What has come since the last turn. */
  turn(): Promise<void>;
  /** The comparison; resolves to how many objects were compared. */
  end(): Promise<number>;
}

export interface Watched {
  readonly connection: string;
  readonly scope: Observation['scope'];
}

/** The scope is the connection's, unless it says otherwise. */
export type Seen = Omit<Observation, 'system' | 'scope'> & Partial<Pick<Observation, 'scope'>>;

/** What a server says of itself that no client's session says (LOG lines, PostgreSQL 13 to 18, lc_messages C). */
const serverLines: readonly (readonly [RegExp, (found: RegExpExecArray) => Pick<Observation, 'object' | 'change' | 'after'>])[] = [
  [/^received (fast|smart|immediate) shutdown request/, ([, mode]) => ({ object: 'server', change: `shut down (${mode})` })],
  [/^received SIGHUP, reloading configuration files/, () => ({ object: 'configuration', change: 'reloaded' })],
  [/^received promote request/, () => ({ object: 'server', change: 'promote requested' })],
  [/^(?:server process|background worker.*|\S+ process) \(PID \d+\) was terminated by signal (\d+)/, ([, signal]) => ({ object: 'server', change: `process ended by signal ${signal}` })],
  [/^parameter "([^"]+)" (?:changed to|removed from|cannot be changed)/, ([, name]) => ({ object: `setting ${name}`, change: 'configuration file changed' })],
];

/** A server on this machine that logs every statement of others (src/clients/postgres/watched.ts). */
export class LoggedServer implements ServerWatch {
  #tail: LogTail;
  #baseline: ServerFacts | undefined;
  #ready = false;
  readonly #due = new ComparisonTimes();
  /** Statements whose failure may still be logged, by pid; those of the last turn are told in this one. */
  #pending = new Map<number, Observation[]>();
  /** What statements of others were about. */
  readonly #said = new Set<string>();

  constructor(
    private readonly watched: Watched,
    local: LocalDetails,
    logSize: number,
    private readonly ctx: WatchContext,
  ) {
    this.#tail = new LogTail(local.logFile, logSize);
  }

  async begin(): Promise<void> {
    this.#ready = await this.ctx.ports.postgres.local(this.watched.connection).running();
    if (this.#ready) await this.#rebase();
  }

  async turn(): Promise<void> {
    const earlier = [...this.#pending.keys()];
    for (const entry of await this.#tail.next()) this.#take(entry);
    for (const pid of earlier) this.#flush(pid);
    if (this.#ready || (this.#baseline !== undefined && this.#due.take())) await this.#rebase();
  }

  stepEnded(): void {
    this.#due.add();
  }

  async end(): Promise<number> {
    await this.turn();
    for (const entry of await this.#tail.next(true)) this.#take(entry);
    for (const pid of this.#pending.keys()) this.#flush(pid);
    const baseline = this.#baseline;
    if (baseline === undefined) return 0;
    if (!(await this.ctx.ports.postgres.local(this.watched.connection).running())) {
      this.#observe({ object: 'server', change: 'does not run any more', actor: null, proof: 'none', since: baseline.at });
      return 1;
    }
    const now = await this.#facts();
    this.#compare(baseline, now);
    return 1 + now.settings.size + now.relations.size + now.written.size;
  }

  /** A server that has started (again) is compared with what it was, and is the baseline from then on. */
  async #rebase(): Promise<void> {
    try {
      const now = await this.#facts();
      if (this.#baseline !== undefined) this.#compare(this.#baseline, now);
      this.#baseline = now;
      this.#ready = false;
    } catch (error) {
      this.ctx.signal.throwIfAborted();
      // Not a gap yet: the log goes on, and the next turn tries again.
      this.ctx.log(`${this.watched.connection}: no baseline yet: ${messageOf(error)}`);
    }
  }

  #facts(): Promise<ServerFacts> {
    return withSession(this.ctx, { connection: this.watched.connection }, { effect: 'read', label: 'facts', statementTimeoutMs: 30_000 }, readFacts);
  }

  #compare(before: ServerFacts, after: ServerFacts): void {
    // A statement that was logged says the same and who it was.
    for (const difference of differences(before, after)) if (!this.#said.has(difference.object)) this.#observe({ ...difference, actor: null, proof: 'none' });
  }

  #take(entry: LogEntry): void {
    const { session, pid, at, level, text } = entry;
    if (session === null) {
      if (level !== 'LOG') return;
      if (text.startsWith('database system is ready to accept connections')) this.#ready = true;
      for (const [pattern, of] of serverLines) {
        const found = pattern.exec(text);
        // A signal is answered a little later than the call that sent it returns.
        if (found !== null) this.#observe({ ...of(found), actor: null, at, since: new Date(Date.parse(at) - 500).toISOString(), proof: 'none' });
      }
      return;
    }
    if (level === 'ERROR' || level === 'FATAL' || level === 'PANIC') this.#pending.delete(pid);
    else if (level === 'LOG') this.#flush(pid);
    const connected = /^(?:replication )?connection authorized: user=(.*?)(?: database=.*?)?(?: application_name=(.*?))?(?: SSL enabled .*)?$/.exec(text);
    if (connected !== null) {
      const [, user = '', application = ''] = connected;
      if (!isOurs(application, this.ctx.runId)) this.#observe({ object: 'session', change: 'connected', actor: actorOf(application, user), at, proof: 'another', scope: 'elsewhere' });
      return;
    }
    if (isOurs(session.application, this.ctx.runId)) return;
    // DETAIL of an EXECUTE shows what was prepared.
    const sql = /^(?:statement|execute [^:]*|fastpath function call): ([\s\S]*)$/.exec(text)?.[1] ?? (level === 'DETAIL' ? /^prepare: ([\s\S]*)$/.exec(text)?.[1] : undefined);
    if (sql === undefined) return;
    const found = effectsOf(sql).map((effect) => this.#observation({ ...effect, actor: actorOf(session.application, session.user), at, proof: 'another' }));
    if (found.length > 0) this.#pending.set(pid, [...(this.#pending.get(pid) ?? []), ...found]);
  }

  #flush(pid: number): void {
    for (const observation of this.#pending.get(pid) ?? []) {
      this.#said.add(observation.object);
      this.ctx.observed(observation);
    }
    this.#pending.delete(pid);
  }

  #observe(what: Seen): void {
    this.ctx.observed(this.#observation(what));
  }

  #observation(what: Seen): Observation {
    return { system: `postgres:${this.watched.connection}`, scope: this.watched.scope, ...what };
  }
}

/** When states are compared after a step: at once, and again when the statistics of what it did are in. */
export class ComparisonTimes {
  #times: number[] = [];

  add(): void {
    this.#times.push(performance.now(), performance.now() + statisticsMs + 200);
  }

  /** Is one due? */
  take(): boolean {
    const due = this.#times.filter((time) => time <= performance.now());
    this.#times = this.#times.filter((time) => time > performance.now());
    return due.length > 0;
  }
}

/** Sessions of this run say so (src/clients/postgres/names.ts), and so do children of its steps (PGAPPNAME). */
export function isOurs(application: string, runId: string): boolean {
  return application.startsWith(`muster/${runId}/`.slice(0, 63));
}

export function actorOf(application: string, user: string): string {
  return `${application === '' || application === '[unknown]' ? 'unnamed client' : application} (user ${user})`;
}
