import type { Static, TSchema } from 'typebox';
import type { EvidenceKind, EvidenceOf } from './kinds/index.js';
import type { EventDataOf, SampleEvent } from './events.js';

/** What a step does to the systems it touches. `destroy` stands out in every plan. */
export type Effect = 'read' | 'create' | 'modify' | 'destroy';

export const phases = ['prepare', 'inject', 'detect', 'decide', 'restore', 'cutover', 'verify'] as const;
/** The phases of a drill; steps never go backwards through them. */
export type Phase = (typeof phases)[number];

/**
 * The systems that steps reach, by name. The engine knows none of them: `src/clients/ports.ts`
 * adds its members to this interface, and the command line binds adapters to them.
 */
// oxlint-disable-next-line typescript/no-empty-object-type -- members are merged in by src/clients/ports.ts
export interface Ports {}

/** A leaf whose value is not known before the run; `unknown` is the template path that it waits for. */
export interface Unknown {
  readonly unknown: string;
}

/** `T` in which any leaf may still be unknown. */
export type Plannable<T> = Unknown | (T extends readonly (infer E)[] ? Plannable<E>[] : T extends object ? { [K in keyof T]: Plannable<T[K]> } : T);

/** An object that `run` may alter, so that a change watcher can tell ours from others'. */
export interface Change {
  /** Which system: `postgres:<connection>`, `directory:<path>`, `endpoint:<name>`, `process`. */
  readonly system: string;
  /** Which object in it, in that system's own words: `table orders`, `setting archive_mode`, `*` for all. */
  readonly object: string;
}

/** One right that a run needs, in the words of the system that grants it. */
export type Permission =
  | { readonly system: 'postgres'; readonly connection: string; readonly grant: string }
  | { readonly system: 'command'; readonly command: string }
  | { readonly system: 'path'; readonly path: string; readonly access: 'read' | 'write' }
  | { readonly system: 'aws'; readonly action: string; readonly resource?: string }
  | { readonly system: 'kubernetes'; readonly verb: string; readonly resource: string; readonly namespace?: string };

/** What a step would do, in words and in calls. Unknown values are shown as `<path>`, never invented. */
export interface PlannedStep {
  readonly does: string;
  readonly calls: readonly string[];
  /** What the registered cleanups will do, in words. */
  readonly undo?: readonly string[];
  /** Files whose content is part of the plan (scripts); they are hashed into its binding. */
  readonly files?: readonly string[];
}

/** The result of one preflight check. `deferred` is repeated once what it needs has been created. */
export interface PreflightCheck {
  readonly id: string;
  readonly result: 'passed' | 'failed' | 'deferred' | 'could-not-run';
  readonly detail: string;
}

/** A cleanup as data: another process can do it after a crash. */
export interface CleanupCall {
  /** `<step or provisioner type>/<cleanup name>`. */
  readonly uses: string;
  /** Holds the marker that was chosen before the call that needs this cleanup. JSON only, no secrets. */
  readonly with: Record<string, unknown>;
}

/** The handle of a registered cleanup. */
export interface DeferredCleanup {
  /** Journals the identity found afterwards (pid with start time, inode, uid), which the cleanup then insists on. */
  confirm(identity: Record<string, unknown>): Promise<void>;
  /** Marks the cleanup as done by the step itself. */
  done(): Promise<void>;
}

/** A point on the run's own clock. `mono` is process.hrtime in ns as a decimal string; `at` is UTC, ISO 8601 with `Z`. */
export interface Instant {
  readonly at: string;
  readonly mono: string;
}

export interface Clock {
  now(): Instant;
  /** Resolves after `ms` milliseconds; rejects with the signal's reason when it is aborted first. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

/** What both steps and cleanups get. */
export interface BaseContext {
  /** The run's id; children carry it as MUSTER_RUN. */
  readonly runId: string;
  /** Every wait obeys it: timeout, sibling's failure or the operator's Ctrl-C. */
  readonly signal: AbortSignal;
  readonly ports: Ports;
  readonly clock: Clock;
  /** Appends a line to logs/<step>.log; secrets are redacted. */
  log(line: string): void;
}

export interface StepContext extends BaseContext {
  readonly stepId: string;
  /** `cleanup`: one of the runbook's cleanup steps. */
  readonly phase: Phase | 'cleanup';
  /** A directory of this run, inside the state directory; it goes when the run is cleaned up. */
  readonly workDir: string;
  /** The folder that holds the runbook: where relative paths of its scripts start. */
  readonly runbookDir: string;
  /** Records evidence as an event. Flushed when the promise resolves. Throws if `data` is not of that kind's schema. */
  evidence<K extends EvidenceKind>(kind: K, data: EvidenceOf<K>): Promise<void>;
  /** Registers a cleanup BEFORE the call that needs it. */
  defer(call: CleanupCall): Promise<DeferredCleanup>;
  /** Stamps the fault of a `declared` or `planned` drill (`drill.fault`). `at` is the scenario's time; default now. */
  fault(detail: string, at?: string): Promise<Instant>;
  /** What a probe of this run says now; `healthy` is null before its first sample. Throws StepError `no-such-probe`. */
  probe(id: string): { readonly healthy: boolean | null };
  /** Resolves after that probe's next sample; rejects with the signal's reason when `signal` is aborted first. */
  nextSample(id: string): Promise<void>;
  /** Journals waiting and working time of people (`manual`); `data` is the whole data of the event `human.<kind>`. */
  human<K extends 'asked' | 'began' | 'done'>(kind: K, data: EventDataOf<`human.${K}`>): Promise<void>;
}

/** Read-only context for `plan` and `preflight`: nothing may be written or started. */
export interface PlanContext {
  readonly ports: Ports;
  /** The folder that holds the runbook: where relative paths of its scripts start. */
  readonly runbookDir: string;
  readonly signal: AbortSignal;
}

export interface CleanupDefinition {
  readonly summary: string;
  /**
   * Undoes one thing. Tolerates "not found". Insists on `identity` when it is given (an object that bears the
   * same name but another identity is left alone). Must be safe to call twice and from another process.
   */
  run(data: Record<string, unknown>, identity: Record<string, unknown> | undefined, ctx: BaseContext): Promise<void>;
}

/** One definition per step type: types, schemas, validators, editor completion and the reference page come from it. */
export interface StepDefinition<I extends TSchema = TSchema, O extends TSchema = TSchema> {
  readonly type: string;
  readonly summary: string;
  readonly input: I;
  readonly output: O;
  readonly effect: Effect | ((input: Plannable<Static<I>>) => Effect);
  readonly changes: (input: Plannable<Static<I>>) => readonly Change[];
  readonly permissions: (input: Plannable<Static<I>>) => readonly Permission[];
  /** The kinds of evidence that `run` may deliver. */
  readonly evidence: readonly EvidenceKind[];
  /** Validated and planned by a test; shown in docs/steps.md. */
  readonly examples: readonly { readonly title: string; readonly with: Record<string, unknown> }[];
  readonly cleanups?: Readonly<Record<string, CleanupDefinition>>;
  plan(input: Plannable<Static<I>>, ctx: PlanContext): PlannedStep | Promise<PlannedStep>;
  /** Checks that need the living systems but change nothing. */
  preflight?(input: Plannable<Static<I>>, ctx: PlanContext): Promise<readonly PreflightCheck[]>;
  /** Never retries by itself: throw a StepError with `retryable` and let the engine do it. */
  run(input: Static<I>, ctx: StepContext): Promise<Static<O>>;
}

export function defineStep<I extends TSchema, O extends TSchema>(definition: StepDefinition<I, O>): StepDefinition<I, O> {
  return definition;
}

export interface ProbeContext extends BaseContext {
  readonly probe: string;
  evidence<K extends EvidenceKind>(kind: K, data: EvidenceOf<K>): Promise<void>;
  /** Records one sample; samples are flushed in groups, in order. */
  sample(event: SampleEvent): void;
}

/** A running probe. */
export interface RunningProbe {
  /** Ends sampling; resolves once the last sample is recorded. */
  stop(): Promise<void>;
  /** After the verification, before any cleanup: read back what was recovered (the ledger). */
  finish?(ctx: ProbeContext): Promise<void>;
}

/** A probe runs beside the steps, from before the fault to the end. One file per type in src/steps, like a step. */
export interface ProbeDefinition<I extends TSchema = TSchema> {
  readonly probe: true;
  readonly type: string;
  readonly summary: string;
  readonly input: I;
  /** What its samples say, so that the engine knows what baseline to wait for. */
  readonly samples: 'availability' | 'ledger' | 'lsn' | 'archive' | 'none';
  readonly changes: (input: Plannable<Static<I>>) => readonly Change[];
  readonly permissions: (input: Plannable<Static<I>>) => readonly Permission[];
  readonly examples: readonly { readonly title: string; readonly with: Record<string, unknown> }[];
  plan(input: Plannable<Static<I>>, ctx: PlanContext): PlannedStep | Promise<PlannedStep>;
  start(input: Static<I>, ctx: ProbeContext): Promise<RunningProbe>;
}

export function defineProbe<I extends TSchema>(definition: Omit<ProbeDefinition<I>, 'probe'>): ProbeDefinition<I> {
  return { probe: true, ...definition };
}

export interface ProvisionContext extends BaseContext {
  readonly connection: string;
  readonly role: 'production' | 'source' | 'target';
  readonly workDir: string;
  defer(call: CleanupCall): Promise<DeferredCleanup>;
}

/**
 * Makes a connection of an environment real before `prepare`, or resolves an existing one.
 * One file per type in src/clients/provision. `details` are JSON without secrets; they are journaled, and
 * adapters work from them, so that another process can rebuild its ports after a crash.
 */
export interface ProvisionerDefinition<I extends TSchema = TSchema> {
  readonly provisioner: true;
  readonly type: string;
  /** The connection kinds it can provide: `postgres`, `postgres-backups`, ... */
  readonly kinds: readonly string[];
  readonly summary: string;
  readonly input: I;
  readonly cleanups?: Readonly<Record<string, CleanupDefinition>>;
  plan(input: Static<I>): PlannedStep;
  preflight?(input: Static<I>, ctx: PlanContext): Promise<readonly PreflightCheck[]>;
  provision(input: Static<I>, ctx: ProvisionContext): Promise<Record<string, unknown>>;
}

export function defineProvisioner<I extends TSchema>(definition: Omit<ProvisionerDefinition<I>, 'provisioner'>): ProvisionerDefinition<I> {
  return { provisioner: true, ...definition };
}
