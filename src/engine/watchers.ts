import { setMaxListeners } from 'node:events';
import { canonicalJson } from './canonical.js';
import type { Clock, Ports } from './define-step.js';
import type { Observation, RunningWatcher, WatchContext, WatcherDefinition } from './define-watcher.js';
import { GuardError, messageOf, RefusedError } from './errors.js';
import type { EventDataOf } from './events.js';
import { Deadline, endWithin } from './retry.js';
import type { Attribution } from './watch/attribution.js';

type WatchEvent = 'watch.observed' | 'watch.gap' | 'watch.unseen' | 'watch.ended';

/** A watcher of the plan, ready to begin: its input is checked. */
export interface ReadyWatcher {
  /** As the environment names it: `postgres`. */
  readonly name: string;
  readonly definition: WatcherDefinition;
  readonly input: Record<string, unknown>;
  readonly required: boolean;
}

export interface WatcherParts {
  readonly runId: string;
  readonly clock: Clock;
  readonly attribution: Attribution;
  readonly world: WatchContext['world'];
  readonly documents: WatchContext['documents'];
  readonly runbookDir: string;
  readonly boundary: unknown;
  readonly ports: (watcher: string, signal: AbortSignal) => Ports;
  readonly log: (watcher: string, line: string) => void;
  readonly append: <T extends WatchEvent>(type: T, data: EventDataOf<T>) => Promise<unknown>;
  /** Of one begin or end, besides the settling. */
  readonly timeoutMs: number;
  readonly graceMs: number;
}

interface Running {
  readonly watcher: ReadyWatcher;
  readonly running: RunningWatcher;
  readonly life: AbortController;
}

/** Different changes of one watcher that are listed one by one; more are a flood that nobody reads. */
const mostListed = 1_000;

/** The watchers of one run: baseline before the fault, live beside the steps, end check before the cleanups. */
export class Watchers {
  readonly #running: Running[] = [];
  readonly #seen = new Map<string, Set<string>>();
  #written: Promise<unknown> = Promise.resolve();

  constructor(private readonly parts: WatcherParts) {}

  /** Takes all baselines. A required watcher that cannot begin refuses the run; an advisory one leaves a gap. */
  async begin(watchers: readonly ReadyWatcher[], signal: AbortSignal): Promise<void> {
    for (const watcher of watchers) {
      const life = new AbortController();
      setMaxListeners(0, life.signal);
      const within = new Deadline(this.parts.timeoutMs, signal, () => new Error(`it took no baseline within ${this.parts.timeoutMs} ms`));
      const follow = () => life.abort(within.signal.reason);
      within.signal.addEventListener('abort', follow, { once: true });
      try {
        const running = await endWithin(watcher.definition.begin(watcher.input, this.#context(watcher, life.signal)), within.signal, this.parts.graceMs);
        this.#running.push({ watcher, running, life });
        within.signal.throwIfAborted();
      } catch (error) {
        signal.throwIfAborted();
        if (watcher.required) throw new RefusedError(`the watcher ${watcher.name} could not begin: ${messageOf(error)}`, error instanceof GuardError ? error.details : [], { cause: error });
        this.#gap(watcher, `it could not begin: ${messageOf(error)}`);
      } finally {
        within.signal.removeEventListener('abort', follow);
        within.end();
      }
    }
    await this.#written;
  }

  /** After the process that watched has died: nobody saw what changed until now. Nothing refuses a run whose fault was sent. */
  async takeUp(watchers: readonly ReadyWatcher[], signal: AbortSignal): Promise<void> {
    for (const watcher of watchers) this.#gap(watcher, 'the process that watched died, and what happened before another took over was not seen');
    await this.begin(watchers.map((watcher) => ({ ...watcher, required: false })), signal);
  }

  /** Tells those that compare states that a step which alters something has ended. */
  stepEnded(): void {
    for (const { running } of this.#running) running.stepEnded?.();
  }

  /** The end checks, side by side; each journals `watch.ended` with how many objects it compared, 0 when it could not. */
  async end(settleMs: number): Promise<void> {
    await Promise.all(this.#running.splice(0).map((running) => this.#endOne(running, settleMs)));
    await this.#written;
  }

  /** For a run that is refused: no check is due. */
  async stop(): Promise<void> {
    await Promise.all(
      this.#running.splice(0).map(async ({ running, life }) => {
        await running.stop().catch(() => undefined);
        life.abort(new Error('the watcher has ended'));
      }),
    );
  }

  async #endOne({ watcher, running, life }: Running, settleMs: number): Promise<void> {
    const limitMs = this.parts.timeoutMs + settleMs;
    const within = new Deadline(limitMs, life.signal, () => new Error(`its end check took longer than ${limitMs} ms`));
    const follow = () => life.abort(within.signal.reason);
    within.signal.addEventListener('abort', follow, { once: true });
    let checks = 0;
    try {
      checks = await endWithin(running.end(settleMs), within.signal, this.parts.graceMs);
      within.signal.throwIfAborted();
    } catch (error) {
      checks = 0;
      this.#gap(watcher, `its end check failed: ${messageOf(error)}`);
    } finally {
      within.signal.removeEventListener('abort', follow);
      within.end();
      await running.stop().catch(() => undefined);
      life.abort(new Error('the watcher has ended'));
    }
    this.#append('watch.ended', { watcher: watcher.name, checks });
  }

  #context(watcher: ReadyWatcher, signal: AbortSignal): WatchContext {
    const { runId, clock, world, documents, runbookDir, boundary, ports, log } = this.parts;
    const { name } = watcher;
    return {
      runId,
      signal,
      clock,
      world,
      documents,
      runbookDir,
      boundary: typeof boundary === 'object' && boundary !== null ? { ...boundary } : {},
      watcher: name,
      ports: ports(name, signal),
      log: (line) => log(name, line),
      observed: (observation) => this.#observed(watcher, observation),
      gap: (detail) => this.#gap(watcher, detail),
      unseen: (detail) => this.#append('watch.unseen', { watcher: name, detail }),
    };
  }

  /** The same change by the same actor is told once: an application that writes all the time is one fact. */
  #observed(watcher: ReadyWatcher, observation: Observation): void {
    const now = this.parts.clock.now().at;
    const { system, object, actor, change, scope, before, after } = observation;
    const { ours, allowedBy } = this.parts.attribution.judge(observation, now);
    const data = {
      watcher: watcher.name,
      object: system.includes(':') ? `${system.slice(system.indexOf(':') + 1)}: ${object}` : object,
      actor,
      change,
      ...(before === undefined ? {} : { before }),
      ...(after === undefined ? {} : { after }),
      ours,
      allowedBy,
      scope,
    };
    if (!this.#isNew(watcher, canonicalJson(data))) return;
    this.#append('watch.observed', { ...data, happened: observation.at ?? now });
  }

  #isNew(watcher: ReadyWatcher, key: string): boolean {
    const seen = this.#seen.get(watcher.name) ?? new Set();
    this.#seen.set(watcher.name, seen);
    if (seen.has(key) || seen.size > mostListed) return false;
    seen.add(key);
    if (seen.size <= mostListed) return true;
    this.#gap(watcher, `it saw more than ${mostListed} different changes; the rest is not listed`);
    return false;
  }

  #gap({ name, required }: ReadyWatcher, detail: string): void {
    this.#append('watch.gap', { watcher: name, required, detail });
  }

  /** Observations come from callbacks: the order is kept, and a journal that is broken ends the run by itself. */
  #append<T extends WatchEvent>(type: T, data: EventDataOf<T>): void {
    const appended = this.parts.append(type, data).catch(() => undefined);
    this.#written = Promise.all([this.#written, appended]);
  }
}
