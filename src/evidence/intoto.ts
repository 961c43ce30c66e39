import { Type, type Static } from 'typebox';
import { canonicalJson } from '../engine/canonical.js';
import { reasonCodes, verdicts, type Drill } from '../engine/drill.js';
import { literals, nullable, strict } from '../engine/schema.js';
import type { DrillEvent } from '../engine/events.js';
import type { Plan } from '../engine/plan-document.js';
import { digestOf, tagManifest } from './texts.js';

/** Ours and its major version. What a published version says never changes: old bundles verify for ever. */
export const drillPredicateType = 'https://muster.invalid/attestations/drill/v1';
const testResultType = 'https://in-toto.io/attestation/test-result/v0.1';
const statementType = 'https://in-toto.io/Statement/v1';

const Sha256 = (description: string) => Type.String({ pattern: '^[0-9a-f]{64}$', description });
const Ms = nullable(Type.Number());
const status = literals(['met', 'missed', 'not-measured', 'no-objective']);
const codes = literals([...reasonCodes.failed, ...reasonCodes.incomplete, ...reasonCodes.cancelled] as const);

/** The predicate of `drillPredicateType`. */
export const DrillPredicateSchema = Type.Object(
  {
    run: Type.String(),
    rules: Type.Integer({ description: 'The rules by which the verdict was derived' }),
    tool: Type.String({ description: 'The version of Muster that ran the drill' }),
    operator: Type.String(),
    host: Type.String(),
    startedAt: nullable(Type.String()),
    finishedAt: nullable(Type.String()),
    runbook: Type.Object({ name: Type.String(), version: Type.String(), sha256: Sha256('Of data/runbook.yaml'), commit: nullable(Type.String()) }, strict),
    environment: Type.Object({ name: Type.String(), sandbox: Type.Boolean(), sha256: Sha256('Of data/environment.yaml') }, strict),
    plan: Sha256("Of the plan's binding"),
    verdict: literals(verdicts),
    reasons: Type.Array(codes, { description: 'Each code once' }),
    rto: Type.Object({ title: Type.String(), objectiveMs: Ms, valueMs: Ms, upperMs: Ms, status }, strict),
    rpo: Type.Object({ objectiveMs: Ms, valueMs: Ms, lost: nullable(Type.Integer()), status }, strict),
    notProved: Type.Array(Type.String()),
    seal: Sha256('Of sig/seal.sig'),
    timestamp: nullable(Sha256('Of sig/seal.tsr, the RFC 3161 token over sig/seal.sig')),
  },
  strict,
);

export type DrillPredicate = Static<typeof DrillPredicateSchema>;

/** What the statements say: all of it follows from the bundle. */
export interface StatementFacts {
  readonly drill: Drill;
  readonly plan: Plan;
  readonly events: readonly DrillEvent[];
  readonly tagManifestText: string;
  readonly sealText: string;
  readonly timestamp: string | null;
}

/** The statements that are sealed, each as canonical JSON: our own, and one that generic tools understand. */
export function statements(facts: StatementFacts): readonly [string, string] {
  const subject = [{ name: tagManifest, digest: { sha256: digestOf(tagManifest, facts.tagManifestText).sha256 } }];
  const statement = (predicateType: string, predicate: unknown) => canonicalJson({ _type: statementType, subject, predicateType, predicate });
  return [statement(drillPredicateType, drillPredicate(facts)), statement(testResultType, testResult(facts))];
}

function drillPredicate({ drill, plan, events, sealText, timestamp }: StatementFacts): DrillPredicate {
  const started = events.find((event) => event.type === 'run.started')?.data;
  const { runbook, environment } = plan.binding;
  const { rto, rpo } = drill;
  return {
    run: drill.run,
    rules: drill.rules,
    tool: started?.tool.version ?? '',
    operator: started?.operator ?? '',
    host: started?.host ?? '',
    startedAt: drill.startedAt,
    finishedAt: drill.finishedAt,
    runbook: { name: runbook.name, version: runbook.version, sha256: runbook.sha256, commit: runbook.git?.commit ?? null },
    environment: { name: environment.name, sandbox: environment.sandbox, sha256: environment.sha256 },
    plan: plan.digest,
    verdict: drill.verdict,
    reasons: reasonsOf(drill),
    rto: { title: rto.title, objectiveMs: rto.objectiveMs, valueMs: rto.valueMs, upperMs: rto.upperMs, status: rto.status },
    rpo: { objectiveMs: rpo.objectiveMs, valueMs: rpo.valueMs, lost: rpo.lost, status: rpo.status },
    notProved: drill.notProved,
    seal: digestOf('', sealText).sha256,
    timestamp,
  };
}

const reasonsOf = (drill: Drill) => [...new Set(drill.reasons.map(({ code }) => code))];

/** Whatever is not `passed` is FAILED: nothing here was merely a warning. */
function testResult({ drill, plan }: StatementFacts): object {
  const { runbook, environment } = plan.binding;
  const file = (name: string, sha256: string) => ({ name, digest: { sha256 } });
  return {
    result: drill.verdict === 'passed' ? 'PASSED' : 'FAILED',
    configuration: [file('data/runbook.yaml', runbook.sha256), file('data/environment.yaml', environment.sha256)],
    ...(drill.verdict === 'passed' ? { passedTests: [runbook.name] } : { failedTests: [runbook.name, ...reasonsOf(drill).map((code) => `${runbook.name}/${code}`)] }),
  };
}
