import { phases } from '../define-step.js';
import type { Drill } from '../drill.js';
import { assessAvailability, type Availability } from './availability.js';
import { endpointMoves } from './endpoints.js';
import type { Facts } from './facts.js';
import type { Fault } from './fault.js';
import { isRebuild } from './infrastructure.js';
import type { Finding } from './reasons.js';
import type { StepFact } from './steps.js';
import { covered, earlier, fromMs, later, said, toMs } from './time.js';
import type { Moment } from './timeline.js';

export interface Recovery {
  readonly rto: Drill['rto'];
  readonly gaps: Drill['gaps'];
  readonly probes: readonly Availability[];
  readonly findings: readonly Finding[];
}

/** Why `verificationEnd` is null. */
export function noVerificationEnd(facts: Facts): string {
  return facts.of('verification.ended').length === 0 ? 'the drill ended before its verification did' : 'the journal does not hold exactly one end of the verification';
}

/** The one end of the verification, or null. */
export function verificationEnd(facts: Facts): Moment | null {
  const lines = facts.of('verification.ended');
  const [line] = lines;
  return line && lines.length === 1 ? facts.moment(line) : null;
}

function titleOf(fault: Drill['rto']['title']): string {
  if (fault === 'declared') return 'recovery time, isolated copy; production cutover not exercised';
  return fault === 'planned' ? 'switchover time, nothing was lost on purpose' : 'recovery time';
}

/** The end of the last gate, or why it says nothing. */
function gateEnd(facts: Facts, steps: readonly StepFact[], fault: Fault): { readonly end: Moment | null; readonly why: string | null } {
  let end: Moment | null = null;
  for (const { step, status, start, end: finished } of steps) {
    if (!step.gate || step.phase !== 'verify') continue;
    if (status !== 'succeeded' || !start || !finished) return { end: null, why: `the gate step ${step.id} did not succeed` };
    if (start.position < fault.moment.position) return { end: null, why: `the gate step ${step.id} began before the fault` };
    if (!facts.timeline.between(fault.moment, finished)) return { end: null, why: `the time of the gate step ${step.id} is unreadable` };
    if (!end || finished.position > end.position) end = finished;
  }
  return { end, why: null };
}

/** A phase lasts from the start of its first step to the start of the next phase's first step; the first one from the fault. */
function phaseTimes(steps: readonly StepFact[], from: bigint, to: bigint | null): Drill['rto']['phases'] {
  const starts = phases.flatMap((phase) => {
    const first = steps.reduce<bigint | null>((least, { step, start }) => (step.phase === phase && start && (least === null || start.position < least) ? start.position : least), null);
    return first === null ? [] : [{ phase, start: first }];
  });
  return phases.map((phase) => {
    const index = starts.findIndex((entry) => entry.phase === phase);
    const own = starts[index];
    if (to === null) return { phase, exercised: own !== undefined, ms: null };
    if (!own) return { phase, exercised: false, ms: 0 };
    const next = starts[index + 1];
    const begin = later(own.start, from);
    const end = next ? earlier(next.start, to) : to;
    return { phase, exercised: true, ms: end > begin ? toMs(end - begin) : 0 };
  });
}

/** rto, with rto-missed, rto-not-measured and probe-gap. */
export function deriveRto(facts: Facts, steps: readonly StepFact[], fault: Fault | null, noFault: string | null): Recovery {
  const { binding } = facts.plan;
  const objective = binding.objectives.rtoMs;
  const planned = binding.probes.filter(({ samples }) => samples === 'availability');
  const ended = verificationEnd(facts);
  const base: Drill['rto'] = {
    title: titleOf(binding.fault), objectiveMs: objective, status: objective === null ? 'no-objective' : 'not-measured',
    valueMs: null, upperMs: null, restoredMs: null, gateMs: null, waitingMs: 0, withoutWaitingMs: null, firstFailedMs: null, outageMs: null,
    phases: phaseTimes(steps, 0n, null), whyNotMeasured: null,
  };
  const not = (why: string, rto: Partial<Drill['rto']> = {}, more: Partial<Recovery> = {}): Recovery => ({
    rto: { ...base, ...rto, whyNotMeasured: why },
    gaps: more.gaps ?? [],
    probes: more.probes ?? [],
    findings: [...(more.findings ?? []), ...(objective === null || rto.status === 'missed' ? [] : [{ code: 'rto-not-measured', detail: why } as const])],
  });
  if (!fault) return not(noFault ?? 'no fault was sent');
  if (!ended) return not(noVerificationEnd(facts));
  const window = facts.timeline.between(fault.moment, ended);
  if (!window || window.value < 0n) return not('no time can be told between the fault and the end of the verification');

  const watched = binding.fault === 'declared' ? later(fault.moment.position, facts.moment(fault.line)?.position ?? 0n) : fault.moment.position;
  const probes = planned.map((probe) => {
    const { value: first } = facts.samples('probe.sample', probe.id).next();
    const endpoint = first?.event.data.endpoint;
    return assessAvailability(facts, probe, fault.moment, watched, ended, endpoint === undefined ? { first: null, last: null } : endpointMoves(facts, endpoint, fault));
  });
  const gaps = probes.flatMap((probe) => probe.gaps.map((gap) => ({ probe: probe.probe, startMs: toMs(gap.start - fault.moment.position), ms: toMs(gap.end - gap.start) })));
  const findings: Finding[] = probes.flatMap((probe) => {
    const longest = probe.gaps.reduce((most, gap) => later(most, gap.end - gap.start), 0n);
    return probe.gaps.length === 0 ? [] : [{ code: 'probe-gap' as const, detail: `${probe.probe}: ${probe.gaps.length} time(s) without a sample between the fault and the end of the verification, the longest ${said(toMs(longest))}` }];
  });
  const firstFailed = probes.reduce<bigint | null>((least, probe) => (probe.firstFailed && (least === null || probe.firstFailed.position < least) ? probe.firstFailed.position : least), null);
  const firstFailedMs = firstFailed === null ? null : toMs(firstFailed - fault.moment.position);
  const seen = { probes, gaps, findings };
  // Nobody is served by what was rebuilt beside the living system, or where the environment has no endpoint: it is there when the last gate says so.
  const byGate = (binding.fault === 'declared' || Object.keys(binding.environment.endpoints).length === 0) && isRebuild(facts) && steps.some(({ step }) => step.gate && step.phase === 'verify');
  if (probes.length === 0 && !byGate) return not('the plan has no availability probe', {}, seen);
  const lacking = probes.find(({ why }) => why !== null);
  const gate = gateEnd(facts, steps, fault);
  if (lacking?.why || gate.why) {
    const why = lacking?.why ?? gate.why ?? '';
    const elapsed = earlier(window.value, ended.utc - fault.moment.utc);
    if (objective === null || !probes.some(({ down }) => down) || elapsed <= fromMs(objective)) return not(why, { firstFailedMs }, seen);
    const detail = `${why}: ${said(toMs(elapsed))} after the fault, the objective is ${said(objective)}`;
    return not(why, { firstFailedMs, status: 'missed' }, { ...seen, findings: [...findings, { code: 'rto-missed', detail }] });
  }

  const restored = probes.reduce<Moment>((worst, probe) => (probe.restored && probe.restored.position > worst.position ? probe.restored : worst), fault.moment);
  const restoredUpper = probes.reduce((worst, probe) => later(worst, probe.restoredUpper ?? worst), restored.position);
  const end = gate.end && gate.end.position > restored.position ? gate.end : restored;
  const measured = facts.timeline.measure('fault to recovery', fault.moment, end);
  if (!measured || measured.value < 0n) return not('no time can be told between the fault and the recovery', { firstFailedMs }, seen);
  const upper = later(measured.upper, restoredUpper - fault.moment.position);
  const waits = steps.flatMap(({ people }) => people?.waiting ?? []);
  const waiting = covered(waits, fault.moment.position, end.position);
  const upperMs = toMs(upper);
  const missed = objective !== null && upper > fromMs(objective);
  if (missed) findings.push({ code: 'rto-missed', detail: `recovered after ${said(upperMs)}, the objective is ${said(objective)}` });
  const outage = probes.reduce((most, probe) => (probe.restored && probe.firstFailed ? later(most, probe.restored.position - probe.firstFailed.position) : most), 0n);
  const rto: Drill['rto'] = {
    ...base,
    status: objective === null ? 'no-objective' : missed ? 'missed' : 'met',
    valueMs: toMs(measured.value),
    upperMs,
    restoredMs: probes.length === 0 ? null : toMs(restored.position - fault.moment.position),
    gateMs: gate.end ? toMs(gate.end.position - fault.moment.position) : null,
    waitingMs: toMs(waiting),
    withoutWaitingMs: toMs(measured.value - waiting),
    firstFailedMs,
    outageMs: probes.length === 0 ? null : toMs(outage),
    phases: phaseTimes(steps, fault.moment.position, end.position),
  };
  return { rto, gaps, probes, findings };
}
