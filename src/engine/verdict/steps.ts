import type { Drill } from '../drill.js';
import { flattenSteps, type PlanStep } from '../plan-document.js';
import type { Facts, Line } from './facts.js';
import { peopleByStep, total, type People } from './people.js';
import { names, type Finding } from './reasons.js';
import { toMs } from './time.js';
import type { Moment } from './timeline.js';

export type StepStatus = Drill['steps'][number]['status'];

/** One planned step and what the journal says of it. */
export interface StepFact {
  readonly step: PlanStep;
  readonly branch: string | null;
  readonly status: StepStatus;
  readonly attempts: number;
  readonly start: Moment | null;
  /** End of the last attempt. */
  readonly end: Moment | null;
  readonly error: string | null;
  readonly people: People | undefined;
  /** Failures that the operator did not ask to try again. */
  readonly failures: readonly Line<'step.finished'>[];
  readonly skippedByOperator: boolean;
}

type StepLine = Line<'step.started'> | Line<'step.finished'> | Line<'step.skipped'> | Line<'step.attempt-failed'> | Line<'operator.chose'>;

function statusOf(lines: readonly StepLine[]): StepStatus {
  const last = lines.findLast(({ event }) => event.type === 'step.started' || event.type === 'step.finished' || event.type === 'step.skipped')?.event;
  if (last?.type === 'step.finished') return last.data.status;
  if (last?.type === 'step.skipped') return 'skipped';
  return last ? 'interrupted' : 'not-executed';
}

export function readSteps(facts: Facts): StepFact[] {
  const { binding } = facts.plan;
  const people = peopleByStep(facts);
  const lines = new Map<string, StepLine[]>();
  const all: StepLine[] = [...facts.of('step.started'), ...facts.of('step.finished'), ...facts.of('step.skipped'), ...facts.of('step.attempt-failed'), ...facts.of('operator.chose')];
  for (const line of all.sort((a, b) => a.index - b.index)) {
    const id = line.event.step ?? '';
    const own = lines.get(id);
    if (own) own.push(line);
    else lines.set(id, [line]);
  }
  const placed = [...flattenSteps(binding.steps), ...binding.cleanup.map((step) => ({ step, branch: null }))];
  return placed.map(({ step, branch }) => {
    const own = lines.get(step.id) ?? [];
    const started = own.filter((line): line is Line<'step.started'> => line.event.type === 'step.started');
    const finished = own.filter((line): line is Line<'step.finished'> => line.event.type === 'step.finished');
    const retries = own.filter(({ event }) => event.type === 'operator.chose' && event.data.choice === 'retry');
    const lastEnd = finished.at(-1);
    const said = own.reduce((most, { event }) => (Number.isSafeInteger(event.attempt) && (event.attempt ?? 0) > most ? (event.attempt ?? 0) : most), 0);
    const failures = finished.filter((line) => (line.event.data.status === 'failed' || line.event.data.status === 'timed-out') && !retries.some((retry) => retry.index > line.index));
    const firstStart = started[0];
    return {
      step,
      branch,
      status: statusOf(own),
      attempts: Math.max(said, started.length > 0 ? 1 : 0),
      start: firstStart ? facts.moment(firstStart) : null,
      end: lastEnd && (started.at(-1)?.index ?? -1) < lastEnd.index ? facts.moment(lastEnd) : null,
      error: lastEnd?.event.data.error?.message ?? null,
      people: people.get(step.id),
      failures,
      skippedByOperator: own.some(({ event }) => (event.type === 'step.skipped' && event.data.because === 'operator') || (event.type === 'operator.chose' && event.data.choice === 'skip')),
    };
  });
}

/** step-failed, step-timed-out, step-skipped, manual-unanswered, operator-retry, residue (a cleanup step), partial-run. */
export function stepFindings(facts: Facts, steps: readonly StepFact[]): Finding[] {
  const found: Finding[] = [];
  const stopped = (fact: StepFact): boolean => fact.status === 'cancelled' || fact.status === 'skipped';
  for (const fact of steps) {
    const step = fact.step.id;
    const unanswered = fact.people?.unanswered === true || (fact.step.uses === 'manual' && fact.status === 'succeeded' && fact.people?.answered !== true);
    for (const { event } of fact.failures) {
      const { status, error } = event.data;
      const detail = `${fact.step.uses}: ${error ? `${error.code}: ${error.message}` : status}`;
      if (error?.code === 'manual-unanswered') found.push({ code: 'manual-unanswered', step, detail });
      else if (fact.step.phase === 'cleanup') found.push({ code: 'residue', step, detail: `a cleanup step did not succeed: ${detail}` });
      else if (!(unanswered && status === 'failed')) found.push({ code: status === 'timed-out' ? 'step-timed-out' : 'step-failed', step, detail });
    }
    if (unanswered) found.push({ code: 'manual-unanswered', step, detail: 'nobody attested that the manual step was done' });
    if (fact.skippedByOperator) found.push({ code: 'step-skipped', step, detail: 'the operator skipped it' });
    if (fact.status === 'interrupted') found.push({ code: 'partial-run', step, detail: 'it began and never ended' });
    if (fact.status === 'succeeded' && !(fact.start && fact.end && fact.end.position >= fact.start.position)) {
      found.push({ code: 'partial-run', step, detail: 'the journal does not show its beginning before its end' });
    }
  }
  for (const { event } of facts.of('operator.chose')) {
    if (event.data.choice === 'retry') found.push({ code: 'operator-retry', ...(event.step === undefined ? {} : { step: event.step }), detail: 'the operator had a failed step tried again' });
    if (event.data.choice === 'skip') found.push({ code: 'step-skipped', ...(event.step === undefined ? {} : { step: event.step }), detail: 'the operator skipped it' });
    if (event.data.choice === 'abort') found.push({ code: 'partial-run', ...(event.step === undefined ? {} : { step: event.step }), detail: 'the operator aborted the drill' });
  }
  const missing = steps.filter(({ status }) => status === 'not-executed').map(({ step }) => step.id);
  if (missing.length > 0) found.push({ code: 'partial-run', detail: `not executed: ${names(missing)}` });
  const unexplained = steps.filter((fact) => stopped(fact) && !fact.skippedByOperator).map(({ step }) => step.id);
  const explained = steps.some(({ failures }) => failures.length > 0) || found.some(({ code }) => code === 'manual-unanswered') || facts.of('evidence.write-failed').length > 0;
  if (unexplained.length > 0 && !explained) found.push({ code: 'partial-run', detail: `skipped or cancelled though nothing failed: ${names(unexplained)}` });
  const known = new Map(steps.map(({ step }) => [step.id, step.uses]));
  for (const { event } of facts.of('step.started')) {
    if (known.get(event.step ?? '') !== event.data.uses) found.push({ code: 'partial-run', detail: `the plan has no step ${event.step ?? '(without id)'} of type ${event.data.uses}` });
  }
  return found;
}

/** As drill.json shows them; `startMs` counts from run.started. */
export function stepRows(facts: Facts, steps: readonly StepFact[], began: Moment | null): Drill['steps'] {
  return steps.map((fact) => {
    const startMs = began && fact.start ? facts.timeline.between(began, fact.start) : null;
    const duration = fact.start && fact.end ? facts.timeline.between(fact.start, fact.end) : null;
    return {
      id: fact.step.id,
      uses: fact.step.uses,
      phase: fact.step.phase,
      branch: fact.branch,
      status: fact.status,
      attempts: fact.attempts,
      startMs: startMs ? toMs(startMs.value) : null,
      durationMs: duration && duration.value >= 0n ? toMs(duration.value) : null,
      waitingMs: toMs(total(fact.people?.waiting ?? [])),
      workingMs: toMs(total(fact.people?.working ?? [])),
      error: fact.error,
    };
  });
}
