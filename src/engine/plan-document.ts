import { Type, type Static } from 'typebox';
import { phases } from './define-step.js';
import { strict, literals, nullable } from './schema.js';

/** plan.json: `binding` is digested and is what approvers sign; `observed` is what preflight saw. */
const Json = Type.Unknown();
const Change = Type.Object({ system: Type.String(), object: Type.String() }, strict);
const effects = literals(['read', 'create', 'modify', 'destroy']);
/** `with` is rendered as far as it can be; a leaf that waits for the run is `{ "unknown": "<template path>" }`. */
const Rendered = Type.Record(Type.String(), Json);

const PlanStep = Type.Object(
  {
    kind: Type.Literal('step'),
    id: Type.String(),
    title: nullable(Type.String()),
    phase: literals([...phases, 'cleanup'] as const),
    uses: Type.String(),
    with: Rendered,
    effect: effects,
    does: Type.String(),
    calls: Type.Array(Type.String()),
    undo: Type.Array(Type.String()),
    changes: Type.Array(Change),
    permissions: Type.Array(Rendered),
    files: Type.Array(Type.Object({ path: Type.String(), sha256: Type.String() }, strict)),
    timeoutMs: Type.Number(),
    totalTimeoutMs: nullable(Type.Number()),
    attempts: Type.Integer({ minimum: 1 }),
    retryDelayMs: Type.Number(),
    gate: Type.Boolean(),
    /** The rule by which the step picks something, with its bounds; `pinned` names the one thing that it may pick. */
    selection: Type.Optional(
      Type.Object({ what: Type.String(), from: Type.String(), rule: Type.String(), maxAgeMs: nullable(Type.Number()), pin: Type.Boolean(), pinned: nullable(Type.String()) }, strict),
    ),
  },
  strict,
);

const PlanParallel = Type.Object({ kind: Type.Literal('parallel'), branches: Type.Record(Type.String(), Type.Array(PlanStep)) }, strict);

const PlanProbe = Type.Object(
  {
    id: Type.String(),
    uses: Type.String(),
    with: Rendered,
    samples: literals(['availability', 'ledger', 'lsn', 'archive', 'none']),
    everyMs: Type.Number(),
    does: Type.String(),
    changes: Type.Array(Change),
    permissions: Type.Array(Rendered),
  },
  strict,
);

export const PlanSchema = Type.Object(
  {
    schema: Type.Literal('muster/plan/v1'),
    binding: Type.Object(
      {
        rules: Type.Literal(1),
        tool: Type.String({ description: 'Version of Muster' }),
        runbook: Type.Object(
          {
            name: Type.String(),
            version: Type.String(),
            title: Type.String(),
            owner: Type.String(),
            controls: Type.Array(Type.String()),
            sha256: Type.String(),
            /** null: there is no repository. `clean` is false when the file on disk is not what HEAD has. */
            git: nullable(Type.Object({ commit: nullable(Type.String()), path: Type.String(), tracked: Type.Boolean(), clean: Type.Boolean() }, strict)),
          },
          strict,
        ),
        environment: Type.Object(
          {
            name: Type.String(),
            sha256: Type.String(),
            sandbox: Type.Boolean(),
            git: nullable(Type.Object({ commit: nullable(Type.String()), path: Type.String(), tracked: Type.Boolean(), clean: Type.Boolean() }, strict)),
            runbooks: literals(['committed', 'any']),
            stableForMs: Type.Number(),
            connections: Type.Record(Type.String(), Type.Object({ kind: Type.String(), role: literals(['production', 'source', 'target']), provision: Type.String(), with: Rendered, does: Type.String() }, strict)),
            endpoints: Type.Record(Type.String(), Type.Object({ provision: Type.String(), to: nullable(Type.String()), host: nullable(Type.String()), port: nullable(Type.Integer()) }, strict)),
            boundary: Json,
            forbidden: Type.Array(Type.String()),
            watch: Json,
            approvals: Json,
            /** As the environment declares it. */
            production: Type.Optional(Type.Object({ machine: Type.Optional(Type.String()), data: Type.Optional(Type.String()), version: Type.Optional(Type.String()) }, strict)),
          },
          strict,
        ),
        inputs: Type.Record(Type.String(), Json),
        objectives: Type.Object({ rtoMs: nullable(Type.Number()), rpoMs: nullable(Type.Number()) }, strict),
        fault: literals(['injected', 'declared', 'planned']),
        probes: Type.Array(PlanProbe),
        steps: Type.Array(Type.Union([PlanStep, PlanParallel])),
        cleanup: Type.Array(PlanStep),
        requiredEvidence: Type.Array(Type.String()),
      },
      strict,
    ),
    digest: Type.String({ description: 'sha256 of the canonical JSON of `binding`' }),
    observed: Type.Object(
      {
        at: Type.String(),
        checks: Type.Array(Type.Object({ id: Type.String(), step: nullable(Type.String()), result: literals(['passed', 'failed', 'deferred', 'could-not-run']), detail: Type.String() }, strict)),
        /** What the rules would pick now. */
        selected: Type.Optional(Type.Array(Type.Object({ step: Type.String(), name: Type.String(), at: Type.String() }, strict))),
        /** Medians of earlier passed runs of the same runbook in the same environment, from their bundles. */
        expected: Type.Optional(Type.Object({ runs: Type.Integer({ minimum: 1 }), totalMs: Type.Number(), rtoMs: nullable(Type.Number()), steps: Type.Record(Type.String(), Type.Number()) }, strict)),
        /** Where the documents were, from the folder of plan.json on. */
        documents: Type.Optional(Type.Object({ runbook: Type.String(), environment: Type.String() }, strict)),
      },
      strict,
    ),
  },
  { ...strict, $id: 'https://muster.invalid/schemas/plan.schema.json', title: 'Muster plan' },
);

export type Plan = Static<typeof PlanSchema>;
export type PlanBinding = Plan['binding'];
export type PlanStep = Static<typeof PlanStep>;
export type PlanProbe = Static<typeof PlanProbe>;
export type PlanObserved = Plan['observed'];
export type ObservedCheck = PlanObserved['checks'][number];
export type PlanNode = PlanBinding['steps'][number];

export interface PlacedStep {
  readonly step: PlanStep;
  /** The parallel branch that it stands in. */
  readonly branch: string | null;
}

/** Every step of the drill in plan order. */
export function flattenSteps(nodes: readonly PlanNode[]): PlacedStep[] {
  const placed: PlacedStep[] = [];
  for (const node of nodes) {
    if (node.kind === 'step') placed.push({ step: node, branch: null });
    else for (const [branch, steps] of Object.entries(node.branches)) for (const step of steps) placed.push({ step, branch });
  }
  return placed;
}
