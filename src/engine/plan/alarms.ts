import type { PlanDifference } from './difference.js';

type Difference = Omit<PlanDifference, 'alarm'>;

const effects = ['read', 'create', 'modify', 'destroy'];

/** Why a difference should stand out; null when it need not. */
export function alarmOf({ area, kind, what, before, after }: Difference): string | null {
  const [subject = ''] = area.split(' ');
  const loosened = larger(before, after);
  switch (area) {
    case 'objectives':
      return loosened ? (after === null ? 'the objective is dropped' : 'the objective is loosened') : null;
    case 'boundary':
      return kind === 'added' ? 'the boundary is widened' : null;
    case 'forbidden':
      return kind === 'removed' ? 'no longer shown to be out of reach' : null;
    case 'watch':
      if (what.startsWith('required') && kind === 'removed') return 'no longer watched by force';
      return kind === 'added' && what !== 'required' && what !== 'settle' ? 'more actors are let through' : null;
    case 'approvals':
      return approvalAlarm(what, kind, before, after);
    case 'required evidence':
      return kind === 'removed' ? 'evidence is no longer required' : null;
    case 'fault':
      return 'another kind of fault proves something else';
    case 'environment':
      if (what === 'runbooks' && after === 'any') return 'uncommitted runbooks are allowed';
      if (what === 'sandbox' && after === true) return 'a sandbox proves less';
      return what === 'stableForMs' && larger(after, before) ? 'recovery counts after a shorter healthy time' : null;
  }
  if (subject === 'connection') {
    if (kind === 'added' && what === '') return 'more is reached';
    if (what === 'role') return before === 'production' ? 'production is no longer read-only' : 'what may be done to it changes';
    return ['provision', 'with.host', 'with.port', 'with.path'].includes(what) ? 'it leads to another system' : null;
  }
  if (subject === 'endpoint') return kind === 'changed' && ['to', 'host', 'port'].includes(what) ? 'it leads to another system' : null;
  if (subject === 'probe') return kind === 'removed' && what === '' ? 'less is measured' : null;
  if (subject === 'step' || subject === 'cleanup') return stepAlarm(kind, what, before, after);
  return null;
}

function stepAlarm(kind: Difference['kind'], what: string, before: unknown, after: unknown): string | null {
  if (what === '') {
    const [step, was] = [after ?? before, kind === 'removed'];
    const { effect, gate, phase } = fields(step);
    if (was) return gate === true ? 'recovery no longer waits for it' : phase === 'verify' ? 'less is verified' : null;
    return effect === 'destroy' ? 'it destroys' : null;
  }
  if (what === 'effect') return effects.indexOf(String(after)) > effects.indexOf(String(before)) ? 'the effect is raised' : null;
  if (what === 'gate') return after === false ? 'recovery no longer waits for it' : null;
  if (what === 'permissions' && kind === 'added') return 'more rights';
  if (what === 'files') return 'the content of a script changes';
  if (what === 'selection.maxAgeMs') return larger(before, after) ? 'older ones are allowed' : null;
  if (what === 'selection.pin') return after === false ? 'no longer pinned' : null;
  return null;
}

function approvalAlarm(what: string, kind: Difference['kind'], before: unknown, after: unknown): string | null {
  if (what === 'required') return larger(after, before) ? 'fewer people must approve' : null;
  if (what === 'operatorMayApprove') return after === true ? 'whoever runs it may approve it' : null;
  if (what.startsWith('allowedSigners')) return 'other keys count';
  return what === 'by' && kind === 'added' ? 'more people may approve' : null;
}

/** Is `after` more than `before`? null is without bound. */
function larger(before: unknown, after: unknown): boolean {
  const number = (value: unknown) => (value === null || value === undefined ? Infinity : Number(value));
  return number(after) > number(before);
}

function fields(step: unknown): { readonly effect?: unknown; readonly gate?: unknown; readonly phase?: unknown } {
  return typeof step === 'object' && step !== null ? step : {};
}
