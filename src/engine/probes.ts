import { setMaxListeners } from 'node:events';
import type { Clock, Ports, ProbeContext, ProbeDefinition, RunningProbe } from './define-step.js';
import { GuardError, messageOf, RefusedError } from './errors.js';
import { healthyForMs } from './health.js';
import type { Journal } from './journal.js';
import { Deadline, endWithin } from './retry.js';
import { ProbeBoard } from './run/board.js';
import type { World } from './world.js';

/** A probe of the plan, ready to start: its input is rendered and checked. */
export interface ReadyProbe {
  readonly id: string;
  readonly definition: ProbeDefinition;
  readonly input: Record<string, unknown>;
  /** Its interval; 0 for a probe that has none. */
  readonly everyMs: number;
}

export interface ProbeParts {
  readonly runId: string;
  readonly journal: Journal;
  readonly clock: Clock;
  /** Ports bound to `probe:<id>` and the signal. */
  readonly ports: (probe: string, signal: AbortSignal) => Ports;
  readonly evidence: (probe: string) => ProbeContext['evidence'];
  readonly defer: (probe: string) => ProbeContext['defer'];
  readonly log: (probe: string, line: string) => void;
  readonly workDir: (probe: string) => string;
  /** What the journal of a run that was taken over holds of it. */
  readonly earlier: (probe: string) => ProbeContext['earlier'];
  /** Of one start, finish or stop. */
  readonly timeoutMs: number;
  readonly graceMs: number;
}

interface Running {
  readonly probe: ReadyProbe;
  readonly running: RunningProbe;
  readonly life: AbortController;
}

/** Healthy samples in a row that an availability probe must show before the fault. */
const baselineSamples = 5;

/** The probes of one run, beside its steps. */
export class Probes {
  readonly board = new ProbeBoard();
  readonly #running: Running[] = [];

  constructor(private readonly parts: ProbeParts) {}

  /** Starts them in the order given. Throws RefusedError when one cannot start; those that run are stopped by `stop`. */
  async start(probes: readonly ReadyProbe[], signal: AbortSignal): Promise<void> {
    for (const probe of probes) {
      const life = new AbortController();
      setMaxListeners(0, life.signal);
      const within = new Deadline(this.parts.timeoutMs, signal, () => new Error(`it did not start within ${this.parts.timeoutMs} ms`));
      const follow = () => life.abort(within.signal.reason);
      within.signal.addEventListener('abort', follow, { once: true });
      try {
        await this.parts.journal.append('probe.started', { probe: probe.id, uses: probe.definition.type });
        within.signal.throwIfAborted();
        const running = await endWithin(probe.definition.start(probe.input, this.#context(probe, life.signal)), within.signal, this.parts.graceMs);
        this.#running.push({ probe, running, life });
        within.signal.throwIfAborted();
      } catch (error) {
        signal.throwIfAborted();
        throw new RefusedError(`probe ${probe.id} could not start: ${messageOf(error)}`, error instanceof GuardError ? error.details : [], { cause: error });
      } finally {
        within.signal.removeEventListener('abort', follow);
        within.end();
      }
    }
  }

  /**
   * Waits until every availability probe that counts has shown five healthy samples in a row and every ledger an
   * acknowledged row. Throws RefusedError after `limitMs`, naming the probes that did not.
   */
  async baseline(world: World, fault: 'injected' | 'declared' | 'planned', limitMs: number, signal: AbortSignal): Promise<void> {
    const awaited = this.#running.map(({ probe }) => probe).filter((probe) => hasBaseline(probe, world, fault));
    const lacking = () => awaited.filter((probe) => !this.#atBaseline(probe));
    const within = new Deadline(limitMs, signal, () => {
      const details = lacking().map((probe) => `probe ${probe.id} (${probe.definition.type}) ${probe.definition.samples === 'ledger' ? 'got no row acknowledged' : `did not show ${baselineSamples} healthy samples in a row`}`);
      return new RefusedError(`no healthy state before the fault: the probes had ${limitMs} ms to show one`, details);
    });
    try {
      await this.board.until(() => lacking().length === 0, within.signal);
    } finally {
      within.end();
    }
  }

  /** Waits until all availability probes have been healthy for `stableForMs` without a break, for `limitMs` at most. Says whether they were. */
  async stable(stableForMs: number, limitMs: number, signal: AbortSignal): Promise<boolean> {
    const ids = this.#running.filter(({ probe }) => probe.definition.samples === 'availability').map(({ probe }) => probe.id);
    const isStable = () => ids.every((id) => healthyForMs(this.board.state(id).run) >= stableForMs);
    const within = new Deadline(limitMs, signal, () => new Error('not stable'));
    try {
      await this.board.until(isStable, within.signal);
    } catch {
      signal.throwIfAborted();
    } finally {
      within.end();
    }
    return isStable();
  }

  /** Lets each probe read back what was recovered. Gives the errors of those that could not, by probe. */
  async finish(signal: AbortSignal, except: ReadonlySet<string> = new Set()): Promise<ReadonlyMap<string, string>> {
    const errors = new Map<string, string>();
    for (const { probe, running } of this.#running.filter((one) => !except.has(one.probe.id))) {
      const within = new Deadline(this.parts.timeoutMs, signal, () => new Error(`its readback took longer than ${this.parts.timeoutMs} ms`));
      try {
        await endWithin(running.finish?.(this.#context(probe, within.signal)) ?? Promise.resolve(), within.signal, this.parts.graceMs);
        within.signal.throwIfAborted();
      } catch (error) {
        errors.set(probe.id, messageOf(error));
        this.parts.log(`probe:${probe.id}`, `could not read back: ${messageOf(error)}`);
      } finally {
        within.end();
      }
    }
    return errors;
  }

  /** Ends all of them, each told again by its signal when it does not stop in time. `errors`: what `finish` gave. */
  async stop(errors: ReadonlyMap<string, string> = new Map()): Promise<void> {
    await Promise.all(this.#running.splice(0).map((running) => this.#stopOne(running, errors.get(running.probe.id))));
  }

  async #stopOne({ probe, running, life }: Running, earlier: string | undefined): Promise<void> {
    let error = earlier;
    const within = new Deadline(this.parts.timeoutMs, life.signal, () => new Error(`it did not stop within ${this.parts.timeoutMs} ms`));
    const follow = () => life.abort(within.signal.reason);
    within.signal.addEventListener('abort', follow, { once: true });
    try {
      await endWithin(running.stop(), within.signal, this.parts.graceMs);
    } catch (thrown) {
      error ??= messageOf(thrown);
    } finally {
      within.signal.removeEventListener('abort', follow);
      within.end();
      life.abort(new Error('the probe has ended'));
    }
    await this.parts.journal.append('probe.stopped', { probe: probe.id, ...(error === undefined ? {} : { error }) });
  }

  #atBaseline({ id, definition }: ReadyProbe): boolean {
    const state = this.board.state(id);
    return definition.samples === 'ledger' ? state.acknowledged > 0 : (state.run?.samples ?? 0) >= baselineSamples;
  }

  #context(probe: ReadyProbe, signal: AbortSignal): ProbeContext {
    const { parts } = this;
    return {
      runId: parts.runId,
      probe: probe.id,
      signal,
      get workDir() {
        return parts.workDir(probe.id);
      },
      earlier: parts.earlier(probe.id),
      clock: parts.clock,
      ports: parts.ports(probe.id, signal),
      log: (line) => parts.log(`probe:${probe.id}`, line),
      evidence: parts.evidence(probe.id),
      defer: parts.defer(probe.id),
      sample: (event) => {
        parts.journal.sample(event);
        this.board.take(probe.id, event);
      },
    };
  }
}

/** The longest that the baseline may take: 25 intervals of the slowest probe, and no less than 30 s for the first connections. */
export function baselineLimitMs(probes: readonly Pick<ReadyProbe, 'everyMs'>[]): number {
  return Math.max(30_000, ...probes.map(({ everyMs }) => everyMs * 25));
}

/** A declared drill may begin with an endpoint that leads nowhere: there is nothing to be healthy yet. */
function hasBaseline({ definition, input }: ReadyProbe, world: World, fault: string): boolean {
  if (definition.samples !== 'availability' && definition.samples !== 'ledger') return false;
  const endpoint = typeof input['endpoint'] === 'string' ? world.endpoints.get(input['endpoint']) : undefined;
  return !(fault === 'declared' && endpoint !== undefined && endpoint.to === null);
}
