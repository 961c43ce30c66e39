import type { Runbook } from '../documents.js';
import type { Drill } from '../drill.js';
import type { DrillEvent } from '../events.js';
import type { Plan } from '../plan-document.js';
import { archiveFindings } from './archive.js';
import { changeFindings, countChanges } from './changes.js';
import { contentFindings, servedFindings } from './content.js';
import { evidenceFindings, evidenceTable } from './evidence.js';
import { Facts } from './facts.js';
import { failovers } from './failovers.js';
import { faultFindings, readFault } from './fault.js';
import { infrastructureFindings, unitRows } from './infrastructure.js';
import { isolationFindings } from './isolation.js';
import { journalFindings } from './journal-whole.js';
import { notProved } from './not-proved.js';
import { total } from './people.js';
import { judge, short, sortReasons, type Finding } from './reasons.js';
import { restorePointFindings } from './restore-point.js';
import { productionFindings } from './production.js';
import { deriveRpo } from './rpo.js';
import { deriveRto } from './rto.js';
import { readSteps, stepFindings, stepRows } from './steps.js';
import { toMs } from './time.js';
import { versionFindings } from './versioned.js';

/** What is missing because the run was cancelled says nothing beyond `cancelled`. */
const followsFromCancelling: ReadonlySet<string> = new Set(['rto-not-measured', 'rpo-not-measured', 'evidence-missing', 'isolation-unproven', 'manual-unanswered', 'probe-gap', 'partial-run']);

/** Rules 1. Published: bundles that name them are verified with this code for ever. */
export function deriveByRules1(runbook: Runbook, plan: Plan, events: readonly DrillEvent[]): Drill {
  const { binding } = plan;
  const facts = new Facts(runbook, plan, events);
  const steps = readSteps(facts);
  const { fault, why } = readFault(facts, steps);
  const recovery = deriveRto(facts, steps, fault, why);
  const { rpo, findings: lossFindings } = deriveRpo(facts, fault, why, recovery);
  const whole = journalFindings(facts);
  const found: Finding[] = [
    ...whole,
    ...stepFindings(facts, steps),
    ...faultFindings(facts, why),
    ...recovery.findings,
    ...lossFindings,
    ...restorePointFindings(facts, fault),
    ...archiveFindings(facts),
    ...contentFindings(facts),
    ...servedFindings(facts, fault, recovery),
    ...changeFindings(facts),
    ...infrastructureFindings(facts),
    ...evidenceFindings(facts),
    ...isolationFindings(facts),
    ...productionFindings(facts),
    ...versionFindings(facts),
  ];
  const reasons = facts.cancelled
    ? sortReasons([...found.filter((finding) => whole.includes(finding) || !followsFromCancelling.has(finding.code)), ...facts.of('cancel.requested').map(({ event }): Finding => ({ code: 'cancelled', detail: `cancelled by ${event.data.by}` }))])
    : sortReasons(found);

  const start = facts.of('run.started')[0];
  const began = start ? facts.moment(start) : null;
  const waiting = steps.reduce((sum, { people }) => sum + total(people?.waiting ?? []), 0n);
  const working = steps.reduce((sum, { people }) => sum + total(people?.working ?? []), 0n);
  const sent = fault?.line.event;
  const units = unitRows(facts, began);
  const registered = facts.of('store.registered')[0]?.event.data;
  return {
    rules: 1,
    run: start?.event.data.run ?? '',
    verdict: judge(reasons),
    reasons,
    title: binding.runbook.title,
    runbook: { name: binding.runbook.name, version: binding.runbook.version, sha256: binding.runbook.sha256 },
    environment: { name: binding.environment.name, sandbox: binding.environment.sandbox },
    plan: plan.digest,
    startedAt: start?.event.at ?? null,
    finishedAt: facts.of('run.finished')[0]?.event.at ?? null,
    fault: sent ? { kind: sent.data.kind, at: sent.data.instant.at, step: sent.step ?? null, detail: short(sent.data.detail) } : null,
    rto: recovery.rto,
    rpo,
    steps: stepRows(facts, steps, began),
    ...failovers(facts, fault, recovery),
    evidence: evidenceTable(facts),
    manual: { steps: steps.filter(({ step }) => step.uses === 'manual').length, waitingMs: toMs(waiting), workingMs: toMs(working) },
    changes: countChanges(facts),
    gaps: [...recovery.gaps],
    clock: [...facts.timeline.notes],
    notProved: notProved(facts, fault, recovery),
    ...(units.length === 0 ? {} : { units }),
    ...(registered === undefined ? {} : { store: { where: registered.store, lock: registered.lock, open: registered.open } }),
  };
}
