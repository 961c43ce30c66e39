import { Type, type Static, type TSchema } from 'typebox';
import { evidenceKindNames } from './kinds/index.js';
import { strict, literals, nullable } from './schema.js';

/**
 * The journal's vocabulary. Events are the only input of terminal, report and verdict; none carries a computed
 * RTO, RPO, reason or verdict. A line is flushed before the act that it announces.
 */
const Instant = Type.Object({ at: Type.String(), mono: Type.String({ pattern: '^\\d+$' }) }, strict);
const Json = Type.Unknown();
/** A drill of the same runbook in the same environment; `ms` figures are those that were held against the objectives. */
const EarlierDrill = Type.Object(
  { run: Type.String(), sha256: Type.String({ description: 'Of its tag manifest' }), at: Type.String(), verdict: literals(['failed', 'incomplete', 'cancelled', 'passed']), rtoMs: nullable(Type.Number()), rpoMs: nullable(Type.Number()), manualMs: Type.Number({ description: 'Waiting for people and their work' }) },
  strict,
);
const ErrorFact = Type.Object({ code: Type.String(), message: Type.String(), hint: Type.Optional(Type.String()) }, strict);

/** Until when nobody may remove what was written. */
export const StoreLock = Type.Object({ mode: literals(['governance', 'compliance']), until: Type.String() }, strict);
/** A registered run without a bundle. `refused`: it says itself that it was refused before its fault, so that no bundle is due. */
export const OpenRegistration = Type.Object({ run: Type.String(), plan: nullable(Type.String()), operator: nullable(Type.String()), at: nullable(Type.String()), refused: Type.Boolean() }, strict);

export const eventData = {
  /** First line. `plan` is the sha256 of the plan's binding. */
  'run.started': Type.Object(
    {
      run: Type.String(),
      tool: Type.Object({ version: Type.String(), node: Type.String(), platform: Type.String() }, strict),
      operator: Type.String(),
      host: Type.String(),
      plan: Type.String(),
      sandbox: Type.Boolean(),
      /** A drill that did not pass and that this one repeats; sha256 of its tag manifest. No verdict depends on it. */
      closes: Type.Optional(Type.Object({ run: Type.String(), sha256: Type.String() }, strict)),
      /** The bundles that stood in the evidence folder and that no other there named. No verdict depends on it; `verify` on a folder does. */
      previous: Type.Optional(Type.Array(Type.Object({ run: Type.String(), sha256: Type.String({ description: 'Of its tag manifest' }) }, strict))),
      /** Who says that the operator is who they are. */
      authenticated: Type.Optional(
        Type.Array(Type.Object({ by: literals(['operating-system', 'key'], { description: "key: the one that seals the bundle answered a challenge before the run" }), as: Type.String() }, strict)),
      ),
      /** The machine that Muster runs on, and with it whatever a sandbox provisions. */
      machine: Type.Optional(Type.Object({ cpu: Type.String(), cpus: Type.Integer({ minimum: 0 }), memoryBytes: Type.Integer({ minimum: 0 }) }, strict)),
      /** The latest drills before this one, oldest first, as their bundles said. No verdict depends on them. */
      earlier: Type.Optional(Type.Array(EarlierDrill)),
    },
    strict,
  ),
  /** An approval that the run relies on: who the environment's allowed signers say signed it, with which key, and the sha256 of sig/approval-<file>.json and .json.sig. */
  'plan.approved': Type.Object({ who: Type.String(), key: Type.String(), file: Type.String(), approval: Type.String(), signature: Type.String() }, strict),
  /**
   * The run was registered in the environment's evidence store; `open` are the runs that were there already and whose bundles are not:
   * they vanished, could not be copied, or are under way. Nulls: the registration cannot be read. No verdict depends on it.
   */
  'store.registered': Type.Object({ store: Type.String(), lock: nullable(StoreLock), open: Type.Array(OpenRegistration) }, strict),
  /** Another process took the run over after a crash; `cut` says that a torn last line was dropped. */
  'run.resumed': Type.Object({ host: Type.String(), operator: Type.String(), cut: Type.Boolean() }, strict),
  'preflight.checked': Type.Object({ id: Type.String(), result: literals(['passed', 'failed', 'deferred', 'could-not-run']), detail: Type.String(), step: Type.Optional(Type.String()) }, strict),
  'connection.provisioning': Type.Object({ connection: Type.String(), provision: Type.String() }, strict),
  'connection.provisioned': Type.Object({ connection: Type.String(), kind: Type.String(), role: Type.String(), provision: Type.String(), details: Type.Record(Type.String(), Json) }, strict),
  'endpoint.opened': Type.Object({ endpoint: Type.String(), host: Type.String(), port: Type.Integer(), to: nullable(Type.String()) }, strict),
  'endpoint.switched': Type.Object({ endpoint: Type.String(), from: nullable(Type.String()), to: Type.String() }, strict),
  'probe.started': Type.Object({ probe: Type.String(), uses: Type.String() }, strict),
  'probe.stopped': Type.Object({ probe: Type.String(), error: Type.Optional(Type.String()) }, strict),
  'step.started': Type.Object({ uses: Type.String(), with: Type.Record(Type.String(), Json) }, strict),
  'step.attempt-failed': Type.Object({ error: ErrorFact, timedOut: Type.Boolean(), retryInMs: Type.Number() }, strict),
  'step.finished': Type.Object(
    { status: literals(['succeeded', 'failed', 'timed-out', 'cancelled']), output: Type.Optional(Json), error: Type.Optional(ErrorFact) },
    strict,
  ),
  'step.skipped': Type.Object({ because: literals(['earlier-failure', 'cancelled', 'operator']), detail: Type.String() }, strict),
  /** Within a step: one of the units that it works on began. Only the terminal goes by it. */
  'unit.running': Type.Object({ unit: Type.String() }, strict),
  /**
   * How a unit within a step fared, as the tool's own report says: `result` succeeded, failed, early exit, excluded; `reason` says what was
   * not plain about it (retry succeeded, error ignored). `after`: the units that it had to wait for. UTC, ISO 8601.
   */
  'unit.finished': Type.Object(
    { unit: Type.String(), started: Type.String(), ended: Type.String(), result: Type.String(), reason: nullable(Type.String()), cause: nullable(Type.String()), after: Type.Array(Type.String()) },
    strict,
  ),
  /** Stamped by an adapter immediately before the first inject step's mutation, or by drill.fault. `at`/`mono` in `instant`. */
  'fault.sent': Type.Object({ kind: literals(['injected', 'declared', 'planned']), instant: Instant, detail: Type.String() }, strict),
  'evidence.recorded': Type.Object({ kind: literals(evidenceKindNames), data: Json }, strict),
  'evidence.write-failed': Type.Object({ file: Type.String(), message: Type.String() }, strict),
  'human.asked': Type.Object({ instructions: Type.String(), instant: Instant }, strict),
  'human.began': Type.Object({ who: Type.String(), instant: Instant }, strict),
  'human.done': Type.Object({ who: nullable(Type.String()), instant: Instant, answered: Type.Boolean(), attestation: nullable(Type.String()) }, strict),
  /** The operator says that something was done by hand that no step does. */
  'note.manual': Type.Object({ text: Type.String(), who: Type.String(), source: literals(['prompt', 'note']) }, strict),
  /** Somebody follows the run from another terminal from here on: a handover. */
  'operator.attached': Type.Object({ who: Type.String(), host: Type.String() }, strict),
  /** The operator asked at the prompt for a failed step to be tried again, skipped or the run aborted. */
  'operator.chose': Type.Object({ choice: literals(['retry', 'skip', 'abort']) }, strict),
  'watch.observed': Type.Object(
    { watcher: Type.String(), object: Type.String(), actor: nullable(Type.String()), change: Type.String(), before: Type.Optional(Json), after: Type.Optional(Json), ours: Type.Boolean(), allowedBy: nullable(Type.String()), scope: literals(['recovery-path', 'elsewhere']),
      /** When it happened, as the watched system says it; UTC. */
      happened: Type.Optional(Type.String()) },
    strict,
  ),
  'watch.gap': Type.Object({ watcher: Type.String(), required: Type.Boolean(), detail: Type.String() }, strict),
  /** What a watcher cannot see by its nature, or that it saw nothing where that proves nothing: no gap, and not proved. */
  'watch.unseen': Type.Object({ watcher: Type.String(), detail: Type.String() }, strict),
  'watch.ended': Type.Object({ watcher: Type.String(), checks: Type.Integer({ minimum: 0 }) }, strict),
  'cleanup.deferred': Type.Object({ id: Type.String(), uses: Type.String(), with: Type.Record(Type.String(), Json) }, strict),
  'cleanup.confirmed': Type.Object({ id: Type.String(), identity: Type.Record(Type.String(), Json) }, strict),
  'cleanup.started': Type.Object({ id: Type.String() }, strict),
  'cleanup.finished': Type.Object({ id: Type.String(), ok: Type.Boolean(), error: Type.Optional(Type.String()) }, strict),
  /** Asked for with --keep: these cleanups are not done now, and what they would remove stays. It is no residue. */
  'run.kept': Type.Object({ cleanups: Type.Array(Type.String()), things: Type.Array(Type.Object({ system: Type.String(), object: Type.String() }, strict)), until: Type.String() }, strict),
  /** All verify steps are done and the healthy run is long enough, or will not become so. */
  'verification.ended': Type.Object({}, strict),
  'cancel.requested': Type.Object({ by: Type.String() }, strict),
  /** Last line before the bundle is written. */
  'run.finished': Type.Object({}, strict),
  /** One availability sample: sent before the read and the write, done after both. */
  'probe.sample': Type.Object(
    { probe: Type.String(), endpoint: Type.String(), read: Type.Boolean(), write: Type.Boolean(), control: nullable(Type.Boolean()), sent: Instant, done: Instant, error: Type.Optional(Type.String()) },
    strict,
  ),
  /** One ledger row; `acked` is null when the server did not acknowledge it. */
  'ledger.row': Type.Object({ probe: Type.String(), store: Type.String(), n: Type.Integer({ minimum: 1 }), sent: Instant, acked: nullable(Instant), error: Type.Optional(Type.String()) }, strict),
  /** The rows found in the recovered store, as closed ranges in rising order. */
  'ledger.recovered': Type.Object(
    { probe: Type.String(), store: Type.String(), ranges: Type.Array(Type.Tuple([Type.Integer(), Type.Integer()])), systemId: nullable(Type.String()), timeline: nullable(Type.Integer()) },
    strict,
  ),
  /** A source that we may not write: its time and flushed LSN. */
  'lsn.sample': Type.Object({ probe: Type.String(), store: Type.String(), instant: Instant, lsn: Type.String() }, strict),
  /** What the source says it has archived (pg_stat_archiver). */
  'archive.sample': Type.Object({ probe: Type.String(), store: Type.String(), instant: Instant, lastArchived: nullable(Type.String()), endLsn: nullable(Type.String()), failed: Type.Integer({ minimum: 0 }) }, strict),
} as const satisfies Record<string, TSchema>;

export type EventType = keyof typeof eventData;
export type EventDataOf<T extends EventType> = Static<(typeof eventData)[T]>;
export const eventTypes = Object.keys(eventData) as EventType[];

/** Sampled many times a second; flushed in groups. All others are flushed before `append` resolves. */
export const sampleTypes = ['probe.sample', 'ledger.row', 'ledger.recovered', 'lsn.sample', 'archive.sample'] as const satisfies readonly EventType[];
export type SampleType = (typeof sampleTypes)[number];
export type SampleEvent = { [T in SampleType]: { readonly type: T; readonly data: EventDataOf<T> } }[SampleType];

/** One line of the journal. `mono` is process.hrtime in ns of the host's boot `boot`. */
export interface EventEnvelope {
  readonly seq: number;
  readonly at: string;
  readonly mono: string;
  readonly boot: string;
  readonly step?: string;
  readonly attempt?: number;
  readonly parent?: string;
  /** sha256 of the previous line without its LF; 64 zeros on the first. */
  readonly prev: string;
}

export type DrillEvent = { [T in EventType]: EventEnvelope & { readonly type: T; readonly data: EventDataOf<T> } }[EventType];
export type EventOf<T extends EventType> = Extract<DrillEvent, { type: T }>;
