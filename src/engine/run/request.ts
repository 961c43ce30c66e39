import type { Clock, Ports, PreflightStage } from '../define-step.js';
import type { CleanupFailure, PendingCleanup } from '../cleanup.js';
import type { Runbook } from '../documents.js';
import type { EventDataOf } from '../events.js';
import type { RefusedError } from '../errors.js';
import type { EvidenceOf } from '../kinds/index.js';
import type { Journal, JournalError } from '../journal.js';
import type { ObservedCheck, Plan, PlanStep } from '../plan-document.js';
import type { Redactor } from '../redact.js';
import type { Registry } from '../registry.js';
import type { ResumeState } from '../resume.js';
import type { Scope } from '../scope.js';
import type { EndpointOpener, World } from '../world.js';
import type { RenewCredentials } from './renew.js';
import type { AccessCheck } from './scope.js';

/** Bounds in ms. Those that are not given follow from the plan. */
export interface Limits {
  /** Of provisioning one connection; default 10 min. */
  readonly provisionMs: number;
  /** Of one probe's start, readback or stop; default 2 min. */
  readonly probeMs: number;
  /** Of the wait for a healthy state before the fault; default from the probes' intervals. */
  readonly baselineMs: number;
  /** Of the wait for lasting health after the last step; default twice `stableFor` and 30 s. */
  readonly stableMs: number;
  /** Of one registered cleanup; default 2 min. */
  readonly cleanupMs: number;
  /** Of one watcher's baseline or end check; default 2 min. */
  readonly watchMs: number;
  /** How long work that was told to stop may take to end; default 10 s. */
  readonly graceMs: number;
}

export interface FailedStep {
  readonly step: PlanStep;
  readonly status: 'failed' | 'timed-out';
  readonly error: unknown;
}

/** What was seen beyond the boundary. */
export type BoundaryRecord = { [K in 'isolation' | 'production-fingerprint']: { readonly kind: K; readonly data: EvidenceOf<K> } }['isolation' | 'production-fingerprint'];

export interface DrillHooks {
  /** Looks at what lies outside: when the environment is real, before anything is prepared, and after the last step. */
  boundary?(when: 'before' | 'after', world: World, signal: AbortSignal): Promise<readonly BoundaryRecord[]>;
  /** Repeats the preflight checks that were deferred, once more is there. Gives what is new. */
  preflight?(stage: Exclude<PreflightStage, 'before'>, world: World, signal: AbortSignal): Promise<readonly ObservedCheck[]>;
  /** Asks the operator what to do; the choice is journaled as `operator.chose`. Without it, or with null (nobody answers), a failure ends the steps. */
  failedStep?(failed: FailedStep, signal: AbortSignal): Promise<'retry' | 'skip' | 'abort' | null>;
  /** Asks the operator to renew credentials that a server refuses. Without it what needs them fails. */
  renewCredentials?: RenewCredentials;
  /** The fault is in the journal. From here on the guard may refuse what the fault has taken away. */
  faultSent?(): void;
  /** Everything is cleaned up; nothing else may be journaled after this but the inventory and the end. */
  ending?(): Promise<void>;
  /** Looks for what is left after all cleanups; journaled as evidence `residue`. */
  residue?(world: World, kept: readonly PendingCleanup[]): Promise<EvidenceOf<'residue'>>;
}

/** Another process of this run has died; this one goes on from its journal. */
export interface Takeover {
  readonly state: ResumeState;
  /** `continue` with the steps (whyNotResumable has nothing against it), or only `end` the run: clean up and finish its journal. */
  readonly mode: 'continue' | 'end';
  /** Ends the commands that a step, a provisioner or a cleanup of the dead process had started and was waiting for. */
  readonly endCommands: (who: string) => Promise<void>;
}

export interface DrillRequest {
  readonly runId: string;
  readonly plan: Plan;
  /** Those that the run relies on. */
  readonly approvals?: readonly EventDataOf<'plan.approved'>[];
  /** The document that the plan was made from; its templates are rendered again with what the run finds out. */
  readonly runbook: Runbook;
  /** Folder of the runbook file. */
  readonly runbookDir: string;
  /** Where the documents of the plan stand, for the watchers; absolute. */
  readonly files?: { readonly runbook: string; readonly environment: string };
  /** Every input, sensitive ones too; their values are in `redactor`. */
  readonly inputs: Readonly<Record<string, unknown>>;
  /** `env.*` of the templates: environmentValues(metadata). */
  readonly env: Readonly<Record<string, unknown>>;
  readonly operator: string;
  /** The bundles that this run follows in its evidence folder. */
  readonly previous?: EventDataOf<'run.started'>['previous'];
  /** In the evidence store. */
  readonly registered?: EventDataOf<'store.registered'>;
  /** The failed drill that this one repeats. */
  readonly closes?: EventDataOf<'run.started'>['closes'];
  /** Who runs it on what, and what was drilled before; for the first event only. */
  readonly about?: Pick<EventDataOf<'run.started'>, 'authenticated' | 'machine' | 'earlier'>;
  /** Version of Muster. */
  readonly toolVersion: string;
  /** runs/<run id> in the state directory; exists. */
  readonly runDir: string;
  readonly registry: Registry;
  bindPorts(scope: Scope, world: World): Ports;
  readonly endpoints: EndpointOpener;
  readonly guard: AccessCheck;
  /** Open; empty unless the run is taken over. The caller closes it. */
  readonly journal: Journal;
  readonly takeover?: Takeover;
  readonly redactor: Redactor;
  readonly clock: Clock;
  /** Aborted when the operator cancels, with a `Cancelled` as reason. */
  readonly signal: AbortSignal;
  /**
   * Leaves what was made of the connections with role `target`, and what their steps made, for a later `muster cleanup`.
   * A refused, failed or cancelled run keeps it too, unless it ended before the fault.
   */
  readonly keep?: boolean;
  readonly limits?: Partial<Limits>;
  readonly hooks?: DrillHooks;
}

export interface DrillResult {
  /** Every step succeeded. The verdict is another matter: `derive` finds it in the events. */
  readonly completed: boolean;
  readonly cancelled: boolean;
  /** Refused before the first inject; what `prepare` made is undone, and no bundle is due. */
  readonly refused?: RefusedError;
  /** The journal could not be written: the run was stopped and cleaned up, its end may not be on record. */
  readonly journalError?: JournalError;
  /** Cleanups that failed: something may be left behind. */
  readonly cleanupFailures: readonly CleanupFailure[];
}
