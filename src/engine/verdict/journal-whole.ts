import { parseDuration } from '../duration.js';
import type { Facts } from './facts.js';
import { names, type Finding } from './reasons.js';

/** partial-run: is this the whole journal of one run of this plan, made from this runbook? */
export function journalFindings(facts: Facts): Finding[] {
  const found: Finding[] = [];
  const partial = (detail: string) => found.push({ code: 'partial-run', detail });
  const { events, plan } = facts;
  const odd = events.findIndex(({ seq }, index) => seq !== index + 1);
  if (odd >= 0) partial(`the journal is not whole: line ${odd + 1} bears the number ${events[odd]?.seq ?? 0}`);
  const starts = facts.of('run.started');
  const start = starts[0];
  if (!start || starts.length > 1 || start.index !== 0) partial('the journal does not begin with the one start of the run');
  if (start && start.event.data.plan !== plan.digest) partial('the journal belongs to another plan');
  if (start && start.event.data.sandbox !== plan.binding.environment.sandbox) partial('journal and plan do not agree whether this is a sandbox');
  const ends = facts.of('run.finished');
  const end = ends[0];
  if (!end || ends.length > 1) partial('the journal does not end with the one end of the run');
  else if (events.slice(end.index + 1).some(({ type }) => type !== 'evidence.write-failed')) partial('the journal goes on after the end of the run');
  // Where a step failed the engine verifies no more; the failure is a reason of its own.
  const stopped = facts.cancelled || facts.of('step.skipped').some(({ event }) => event.data.because === 'earlier-failure') || facts.of('step.finished').some(({ event }) => event.data.status !== 'succeeded');
  const verified = facts.of('verification.ended').length;
  if (verified > 1 || (verified === 0 && !stopped)) partial('the journal does not hold exactly one end of the verification');
  const refused = [...facts.preflight].filter(([, result]) => result === 'failed').map(([name]) => name);
  if (refused.length > 0) partial(`the drill went on though a preflight check failed: ${names(refused)}`);
  return [...found, ...foreignPlan(facts)];
}

function ms(duration: string | undefined): number | null | undefined {
  if (duration === undefined) return null;
  try {
    return parseDuration(duration);
  } catch {
    return undefined;
  }
}

/** Objectives, fault and demands stand in the runbook; a plan that says otherwise was not made from it. */
function foreignPlan(facts: Facts): Finding[] {
  const { runbook, plan } = facts;
  const { binding } = plan;
  const [rto, rpo] = [ms(runbook.objectives.rto), ms(runbook.objectives.rpo)];
  const same: Record<string, boolean> = {
    name: binding.runbook.name === runbook.metadata.name,
    version: binding.runbook.version === runbook.metadata.version,
    'recovery time objective': rto === undefined || rto === binding.objectives.rtoMs,
    'recovery point objective': rpo === undefined || rpo === binding.objectives.rpoMs,
    fault: binding.fault === runbook.fault,
    'required evidence': (runbook.evidence?.require ?? []).every((kind) => binding.requiredEvidence.includes(kind)),
  };
  const differing = Object.keys(same).filter((name) => !same[name]);
  return differing.length === 0 ? [] : [{ code: 'partial-run', detail: `the plan was not made from this runbook: ${differing.join(', ')} differ` }];
}
