import type { Facts, Line } from './facts.js';
import type { Finding } from './reasons.js';
import type { StepFact } from './steps.js';
import type { Moment } from './timeline.js';

export interface Fault {
  readonly line: Line<'fault.sent'>;
  readonly moment: Moment;
}

/** The one fault, or why there is none to measure from. */
export function readFault(facts: Facts, steps: readonly StepFact[]): { readonly fault: Fault | null; readonly why: string | null } {
  const lines = facts.of('fault.sent');
  const [line] = lines;
  const none = (why: string) => ({ fault: null, why });
  if (!line) return none('no fault was sent');
  if (lines.length > 1) return none(`the fault was sent ${lines.length} times`);
  const { kind, instant } = line.event.data;
  const planned = facts.plan.binding.fault;
  if (kind !== planned) return none(`the fault is ${kind}, the plan says ${planned}`);
  const moment = facts.instant(line, instant);
  const written = facts.moment(line);
  if (!moment || !written) return none('the time of the fault is unreadable');
  if (moment.position > written.position) return none('the fault is dated later than the line that announces it');
  if (kind === 'injected') {
    const inject = steps.filter(({ step }) => step.phase === 'inject');
    const begun = inject.flatMap(({ start }) => (start ? [start.position] : []));
    const ended = inject.flatMap(({ end }) => (end ? [end.position] : []));
    if (!begun.some((start) => start <= moment.position)) return none('the fault was sent before an inject step began');
    if (ended.length === inject.length && !ended.some((end) => end >= moment.position)) return none('the fault was sent after the last inject step ended');
  }
  return { fault: { line, moment }, why: null };
}

/** A plan that injects without an objective has no RTO or RPO reason to carry a missing fault. */
export function faultFindings(facts: Facts, why: string | null): Finding[] {
  const { objectives, fault } = facts.plan.binding;
  if (why === null || objectives.rtoMs !== null || objectives.rpoMs !== null) return [];
  const injects = facts.plan.binding.steps.some((node) => (node.kind === 'step' ? [node] : Object.values(node.branches).flat()).some((step) => step.phase === 'inject'));
  return injects || facts.of('fault.sent').length > 0 ? [{ code: 'partial-run', detail: `${fault} drill: ${why}` }] : [];
}
