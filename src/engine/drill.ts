import { Type, type Static } from 'typebox';
import { phases } from './define-step.js';
import { OpenRegistration, StoreLock } from './events.js';
import { strict, literals, nullable } from './schema.js';

/** drill.json: what `derive` makes of runbook, plan and events. All times are milliseconds, rounded to 0.001. */
const Ms = Type.Number();

export const reasonCodes = {
  failed: [
    'rto-missed', 'rpo-missed', 'step-failed', 'step-timed-out', 'content-differs', 'wrong-restore-point', 'wrong-timeline', 'archive-contaminated',
    'undocumented-change', 'unversioned-runbook', 'isolation-violated', 'operator-retry', 'evidence-write-failed', 'residue',
  ],
  incomplete: [
    'rto-not-measured', 'rpo-not-measured', 'evidence-missing', 'manual-unanswered', 'step-skipped', 'partial-run', 'watch-gap', 'probe-gap',
    'isolation-unproven', 'backup-made-by-drill',
  ],
  cancelled: ['cancelled'],
} as const;
export type ReasonCode = (typeof reasonCodes)[keyof typeof reasonCodes][number];
export const verdicts = ['failed', 'incomplete', 'cancelled', 'passed'] as const;
export type Verdict = (typeof verdicts)[number];

const codes = literals([...reasonCodes.failed, ...reasonCodes.incomplete, ...reasonCodes.cancelled] as const);

const StoreRpo = Type.Object(
  {
    store: Type.String(),
    probe: Type.String(),
    basis: literals(['ledger', 'samples', 'derived', 'code']),
    valueMs: nullable(Ms),
    /** Counts are null where nothing counted rows: basis samples or derived, or not measured. */
    acknowledgedBeforeFault: nullable(Type.Integer()),
    recovered: nullable(Type.Integer({ description: 'Of the rows acknowledged before the fault' })),
    lost: nullable(Type.Integer()),
    firstLost: nullable(Type.Integer()),
    lastRecovered: nullable(Type.Integer()),
    lastRecoveredAckAt: nullable(Type.String()),
    /** Acknowledged after the fault, before the end of the verification, and not in the recovered store. */
    discarded: nullable(Type.Object({ count: Type.Integer(), spanMs: Ms, description: Type.String() }, strict)),
    unacknowledgedPresent: nullable(Type.Integer()),
    whyNotMeasured: nullable(Type.String()),
  },
  strict,
);

export const DrillSchema = Type.Object(
  {
    rules: Type.Literal(1),
    run: Type.String(),
    verdict: literals(verdicts),
    reasons: Type.Array(Type.Object({ code: codes, step: Type.Optional(Type.String()), detail: Type.String() }, strict)),
    title: Type.String(),
    runbook: Type.Object({ name: Type.String(), version: Type.String(), sha256: Type.String() }, strict),
    environment: Type.Object({ name: Type.String(), sandbox: Type.Boolean() }, strict),
    plan: Type.String({ description: 'Digest of the plan binding' }),
    startedAt: nullable(Type.String()),
    finishedAt: nullable(Type.String()),
    fault: nullable(Type.Object({ kind: literals(['injected', 'declared', 'planned']), at: Type.String(), step: nullable(Type.String()), detail: Type.String() }, strict)),
    rto: Type.Object(
      {
        title: Type.String({ description: 'Says when production cutover was not exercised' }),
        objectiveMs: nullable(Ms),
        status: literals(['met', 'missed', 'not-measured', 'no-objective']),
        valueMs: nullable(Ms),
        /** The objective is held against this one. */
        upperMs: nullable(Ms),
        restoredMs: nullable(Ms),
        gateMs: nullable(Ms),
        waitingMs: Ms,
        withoutWaitingMs: nullable(Ms),
        firstFailedMs: nullable(Ms),
        outageMs: nullable(Ms),
        /** They add up to valueMs; null when it was not measured. */
        phases: Type.Array(Type.Object({ phase: literals(phases), exercised: Type.Boolean(), ms: nullable(Ms) }, strict)),
        whyNotMeasured: nullable(Type.String()),
      },
      strict,
    ),
    rpo: Type.Object(
      {
        objectiveMs: nullable(Ms),
        status: literals(['met', 'missed', 'not-measured', 'no-objective']),
        valueMs: nullable(Ms),
        basis: nullable(literals(['ledger', 'samples', 'derived', 'code'])),
        lost: nullable(Type.Integer()),
        stores: Type.Array(StoreRpo),
        whyNotMeasured: nullable(Type.String()),
      },
      strict,
    ),
    steps: Type.Array(
      Type.Object(
        {
          id: Type.String(),
          uses: Type.String(),
          phase: literals([...phases, 'cleanup'] as const),
          branch: nullable(Type.String()),
          status: literals(['succeeded', 'failed', 'timed-out', 'cancelled', 'skipped', 'not-executed', 'interrupted']),
          attempts: Type.Integer({ minimum: 0 }),
          /** From run.started. */
          startMs: nullable(Ms),
          durationMs: nullable(Ms),
          waitingMs: Ms,
          workingMs: Ms,
          error: nullable(Type.String()),
        },
        strict,
      ),
    ),
    /** What steps worked on in parts that have their own time and result: units of infrastructure. `critical`: of the chain that took longest. */
    units: Type.Optional(
      Type.Array(
        Type.Object({ step: Type.String(), unit: Type.String(), startMs: nullable(Ms), durationMs: nullable(Ms), result: Type.String(), reason: nullable(Type.String()), after: Type.Array(Type.String()), critical: Type.Boolean() }, strict),
      ),
    ),
    /**
     * How a database cluster replaced its lost primary, on the run's clock: fault, detection, election, promotion, clients again. The
     * first four add up to the time at which clients were served. A part that was not seen, or not in this order, is null.
     */
    failovers: Type.Optional(
      Type.Array(
        Type.Object(
          {
            cluster: Type.String(),
            from: nullable(Type.String({ description: 'The primary at the fault' })),
            to: nullable(Type.String({ description: 'The member that replaced it' })),
            timelines: Type.Tuple([nullable(Type.Integer()), nullable(Type.Integer())], { description: 'At the fault and at the end' }),
            detectionMs: nullable(Ms),
            electionMs: nullable(Ms),
            promotionMs: nullable(Ms),
            reconnectionMs: nullable(Ms),
            redundancyMs: nullable(Type.Number({ description: 'From the fault until all members were ready again' })),
          },
          strict,
        ),
      ),
    ),
    evidence: Type.Array(Type.Object({ kind: Type.String(), required: Type.Boolean(), records: Type.Integer({ minimum: 0 }) }, strict)),
    manual: Type.Object({ steps: Type.Integer(), waitingMs: Ms, workingMs: Ms }, strict),
    changes: Type.Object({ undocumented: Type.Integer(), allowed: Type.Integer(), elsewhere: Type.Integer() }, strict),
    /** Time between the fault and the end of the verification that no sample covers; `startMs` counts from the fault. */
    gaps: Type.Array(Type.Object({ probe: Type.String(), startMs: Ms, ms: Ms }, strict)),
    /** Measured spans over which the monotonic clock and UTC disagree (suspend, clock step); the larger is counted. */
    clock: Type.Array(Type.Object({ span: Type.String(), monotonicMs: Ms, utcMs: Ms, countedMs: Ms }, strict)),
    notProved: Type.Array(Type.String()),
    /** The evidence store that the run was registered in, and the runs that it held then without their bundles. */
    store: Type.Optional(Type.Object({ where: Type.String(), lock: nullable(StoreLock), open: Type.Array(OpenRegistration) }, strict)),
  },
  { ...strict, $id: 'https://muster.invalid/schemas/drill.schema.json', title: 'Muster drill result' },
);

export type Drill = Static<typeof DrillSchema>;
