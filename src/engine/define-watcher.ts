import type { Static, TSchema } from 'typebox';
import type { BaseContext, PlanContext, PlannedStep, PreflightCheck } from './define-step.js';
import type { Permission } from './permission.js';
import type { World, WorldConnection } from './world.js';

/**
 * One mutation that a watcher saw. Facts only: whether it is the run's own or expected is decided by the engine
 * (watch/attribution.ts), which knows the steps, the probes and the profiles.
 */
export interface Observation {
  /** As in Change: `postgres:<connection>`, `backups:<connection>`, `git`. */
  readonly system: string;
  /** In that system's words, as in Change: `table orders`, `setting work_mem`, `file wal/0000...`. */
  readonly object: string;
  /** Who did it, as far as the system says: application name and user, uid, commit author; null when it does not. */
  readonly actor: string | null;
  /** What happened: `ALTER SYSTEM`, `INSERT`, `file added`, ... Never a row's value. */
  readonly change: string;
  readonly before?: unknown;
  readonly after?: unknown;
  /** When it happened, as the watched system says it, ISO 8601 UTC; default: now. */
  readonly at?: string;
  /** The earliest time at which it can have happened, where the system does not say when; default: `at`. */
  readonly since?: string;
  /**
   * `ours`: the system itself proves that this run did it (its application_name carries the run id). `another`: it proves
   * that somebody else did. `none`: it does not say who; then what steps and probes declare decides.
   */
  readonly proof: 'ours' | 'another' | 'none';
  /** `recovery-path`: what the run made or restores into, the repository, the archive, the code. Else listed only. */
  readonly scope: 'recovery-path' | 'elsewhere';
}

/** A document of the run, as the plan has it. */
export interface WatchedDocument {
  readonly what: 'runbook' | 'environment';
  /** Absolute. */
  readonly path: string;
  /** Of its bytes when the plan was made, hex. */
  readonly sha256: string;
}

export interface WatchContext extends BaseContext {
  readonly watcher: string;
  readonly world: World;
  readonly documents: readonly WatchedDocument[];
  /** The folder that holds the runbook. */
  readonly runbookDir: string;
  /** `boundary` of the environment: what lies in it is watched. */
  readonly boundary: Readonly<Record<string, unknown>>;
  observed(observation: Observation): void;
  /** Something could not be seen for a while, or at all. A hole that a clean comparison afterwards closed is no gap. */
  gap(detail: string): void;
  /** What it cannot see by its nature, or an empty answer that proves nothing: listed under "not proved". */
  unseen(detail: string): void;
}

/** A running watcher. Its baseline was taken by `begin`; the live part runs until `end` or `stop`. */
export interface RunningWatcher {
  /**
   * A step that declares changes has ended. A watcher that compares states compares now, so that what the step did is not
   * mixed with what others do after it. Must return at once.
   */
  stepEnded?(): void;
  /** The end check: compares with the baseline, waits for late trails up to `settleMs`. Resolves to how many objects were compared. */
  end(settleMs: number): Promise<number>;
  /** Ends the live part; no check. Safe after `end`. */
  stop(): Promise<void>;
}

/**
 * Watches one kind of system for changes that no step of the run made. src/steps/<system>/changes.ts exports `watcher`,
 * type `<system>.changes`; an environment names it by <system>.
 */
export interface WatcherDefinition<I extends TSchema = TSchema> {
  readonly watcher: true;
  readonly type: string;
  readonly summary: string;
  readonly input: I;
  readonly permissions: (input: Static<I>) => readonly Permission[];
  readonly examples: readonly { readonly title: string; readonly with: Record<string, unknown> }[];
  plan(input: Static<I>): PlannedStep;
  /** As that of a step; `watcher <name>: ` is put before the ids. */
  preflight?(input: Static<I>, ctx: PlanContext): Promise<readonly PreflightCheck[]>;
  /** Takes the baseline, which ends before the fault, and starts the live part. */
  begin(input: Static<I>, ctx: WatchContext): Promise<RunningWatcher>;
}

export function defineWatcher<I extends TSchema>(definition: Omit<WatcherDefinition<I>, 'watcher'>): WatcherDefinition<I> {
  return { watcher: true, ...definition };
}

/** Where changes of a connection count: on what is restored into, on backups, and on what the run has made itself. */
export function scopeOf(connection: Pick<WorldConnection, 'kind' | 'role' | 'details'>): Observation['scope'] {
  return connection.role === 'target' || connection.kind.endsWith('-backups') || connection.details['local'] !== undefined ? 'recovery-path' : 'elsewhere';
}
