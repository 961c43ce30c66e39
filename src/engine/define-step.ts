import type { Static, TSchema } from 'typebox';
import type { EvidenceKind, EvidenceOf } from './kinds/index.js';
import type { EventDataOf, SampleEvent } from './events.js';
import type { Permission } from './permission.js';

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

/**
 * What a step picks by a rule when it runs (a backup). The rule with its bounds is part of the plan; what it picks now is
 * only observed, unless `pin` makes that part of the plan too.
 */
export interface Selection {
  /** What is picked, in words: `backup`. */
  readonly what: string;
  /** Where it is picked, as in Change: `backups:<connection>`. */
  readonly from: string;
  readonly rule: string;
  /** What is older is refused. */
  readonly maxAgeMs: number | null;
  readonly pin: boolean;
}

/** What a rule picks now. `at`: UTC, ISO 8601; its age counts from there. */
export interface Selected {
  readonly name: string;
  readonly at: string;
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
  /** Name of what the plan pins (`selection`): nothing else may be picked. */
  readonly pinned?: string;
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
  /** Journals a part of the step that has its own time and result (a unit of infrastructure): the whole data of the event `unit.<kind>`. */
  unit<K extends 'running' | 'finished'>(kind: K, data: EventDataOf<`unit.${K}`>): Promise<void>;
  /**
   * Has a connection that this step has just made real looked at again by its provisioner: where it listens, who may log in.
   * Resolves once its new details are journaled; ports find it from then on.
   */
  provision(connection: string): Promise<void>;
  /** Journals waiting and working time of people (`manual`); `data` is the whole data of the event `human.<kind>`. */
  human<K extends 'asked' | 'began' | 'done'>(kind: K, data: EventDataOf<`human.${K}`>): Promise<void>;
}

/** Read-only context for `plan` and `preflight`: nothing may be written or started. */
export interface PlanContext {
  readonly ports: Ports;
  /** The folder that holds the runbook: where relative paths of its scripts start. */
  readonly runbookDir: string;
  readonly signal: AbortSignal;
  /** Where runs keep what they make; preflight only. */
  readonly stateDir?: string;
  /** How far the run is; preflight only. */
  readonly stage?: PreflightStage;
}

/**
 * When preflight looks: before anything is made, once the environment is, once all prepare steps are done, and after the
 * verification. What the run has yet to make is `deferred` at each of them but the last that can know.
 */
export type PreflightStage = 'before' | 'provisioned' | 'prepared' | 'verified';

/** Systems whose rights are those of one connection. */
export type RightSystem = 'postgres' | 'kubernetes' | 'aws';

/** A right together with the steps and probes that need it. */
export interface NeededRight<S extends RightSystem = 'postgres'> {
  readonly right: Extract<Permission, { system: S }>;
  readonly by: readonly string[];
}

/** For the preflight of a connection. */
export interface ConnectionContext extends PlanContext {
  readonly connection: string;
  readonly role: 'production' | 'source' | 'target';
  readonly clock: Clock;
  /** It is there: it was before, or this run has made it. Else what needs it is `deferred`. */
  readonly there: boolean;
  /** The step that restores into it, if any: until it has, there is nothing to look at. */
  readonly filledBy: string | null;
  readonly rights: readonly NeededRight[];
  readonly kubernetesRights: readonly NeededRight<'kubernetes'>[];
  readonly awsRights: readonly NeededRight<'aws'>[];
  /** Objects in it that the run's own steps have yet to make: `table orders`. */
  readonly makes: readonly string[];
}

export interface CleanupDefinition {
  readonly summary: string;
  /** How long it may take; default 2 minutes. */
  readonly timeoutMs?: number;
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
  /**
   * May `run` begin again where the process died within it, once the cleanups that it had registered are done?
   * `muster resume` asks. Default: only with effect `read`, since nobody knows how far anything else had come.
   */
  readonly repeatable?: boolean;
  plan(input: Plannable<Static<I>>, ctx: PlanContext): PlannedStep | Promise<PlannedStep>;
  /**
   * Checks that need the living systems but change nothing. A StepError `no-such-connection` or `no-such-endpoint` means
   * that the run has yet to make it: all of this is then deferred.
   */
  preflight?(input: Plannable<Static<I>>, ctx: PlanContext): Promise<readonly PreflightCheck[]>;
  /** The rule by which `run` picks something, and what it picks now; undefined: nothing. Reads only. */
  readonly selection?: {
    rule(input: Plannable<Static<I>>): Selection | undefined;
    find(input: Plannable<Static<I>>, ctx: PlanContext): Promise<Selected | undefined>;
  };
  /** Never retries by itself: throw a StepError with `retryable` and let the engine do it. */
  run(input: Static<I>, ctx: StepContext): Promise<Static<O>>;
}

export function defineStep<I extends TSchema, O extends TSchema>(definition: StepDefinition<I, O>): StepDefinition<I, O> {
  return definition;
}

/** What the journal holds of a probe whose process died. */
export interface EarlierProbe {
  /** The highest number of its ledger rows; 0 without rows. More may have been sent and not been journaled. */
  readonly lastRow: number;
}

export interface ProbeContext extends BaseContext {
  readonly probe: string;
  /** A directory of this run, which a resumed run finds again. */
  readonly workDir: string;
  /** null unless the run was resumed. */
  readonly earlier: EarlierProbe | null;
  evidence<K extends EvidenceKind>(kind: K, data: EvidenceOf<K>): Promise<void>;
  /** Records one sample; samples are flushed in groups, in order. */
  sample(event: SampleEvent): void;
  /** Registers a cleanup BEFORE the call that needs it. */
  defer(call: CleanupCall): Promise<DeferredCleanup>;
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
  readonly cleanups?: Readonly<Record<string, CleanupDefinition>>;
  plan(input: Plannable<Static<I>>, ctx: PlanContext): PlannedStep | Promise<PlannedStep>;
  start(input: Static<I>, ctx: ProbeContext): Promise<RunningProbe>;
}

export function defineProbe<I extends TSchema>(definition: Omit<ProbeDefinition<I>, 'probe'>): ProbeDefinition<I> {
  return { probe: true, ...definition };
}

export interface ProvisionContext extends BaseContext {
  readonly connection: string;
  readonly role: 'production' | 'source' | 'target';
  /** runs/<run id>/work/<connection> in the state directory. */
  readonly workDir: string;
  /** The folder that holds the runbook: where relative paths start. */
  readonly runbookDir: string;
  /** From now on this value shows nowhere: journal, logs, terminal, bundle. To be told before it is used. */
  secret(value: string): void;
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
  /**
   * What it reaches that is there without the run, in stable names: `postgres:<host>:<port>`, `directory:<path>`. One run at
   * a time may hold each. Default: nothing.
   */
  protects?(input: Static<I>): readonly string[];
  /** Commands and paths that it needs besides what steps declare. */
  readonly permissions?: (input: Static<I>) => readonly Permission[];
  plan(input: Static<I>): PlannedStep;
  /**
   * Details of what is there already and only used, so that it can be looked at before the run; undefined when `provision`
   * makes it. Changes nothing. Throws StepError when what should be there is not. `runbookDir`: where relative paths start.
   */
  existing?(input: Static<I>, place: { readonly runbookDir: string }): Promise<Record<string, unknown> | undefined>;
  /** Ids are unique within the connection; `connection <name>: ` is put before them. */
  preflight?(input: Static<I>, ctx: ConnectionContext): Promise<readonly PreflightCheck[]>;
  provision(input: Static<I>, ctx: ProvisionContext): Promise<Record<string, unknown>>;
}

export function defineProvisioner<I extends TSchema>(definition: Omit<ProvisionerDefinition<I>, 'provisioner'>): ProvisionerDefinition<I> {
  return { provisioner: true, ...definition };
}
