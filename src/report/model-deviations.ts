import { canonicalJson } from '../engine/canonical.js';
import type { Drill } from '../engine/drill.js';
import type { DrillEvent, EventDataOf } from '../engine/events.js';
import { formatDuration } from '../engine/duration.js';
import type { RunClock } from './model-clock.js';
import { utc } from './visible.js';

/** Something that did not go as the runbook says, or that people did by hand. */
export interface Deviation {
  readonly at: string;
  readonly what: string;
  readonly who: string;
  readonly detail: string;
}

/** A documented manual step: who attested what, and how long it took. */
export interface HumanWork {
  readonly step: string;
  readonly who: string;
  readonly waited: string;
  readonly worked: string;
  readonly attestation: string;
}

export function deviations(events: readonly DrillEvent[], clock: RunClock): Deviation[] {
  const found: Deviation[] = [];
  for (const event of events) {
    const said = deviation(event);
    if (said !== null) found.push({ at: formatDuration(clock.place(event)), ...said });
  }
  return found;
}

function deviation(event: DrillEvent): Omit<Deviation, 'at'> | null {
  const who = event.step === undefined ? '' : `step ${event.step}`;
  switch (event.type) {
    case 'step.attempt-failed':
      return { what: event.data.timedOut ? 'An attempt timed out and was repeated' : 'An attempt failed and was repeated', who, detail: event.data.error.message };
    case 'operator.chose':
      return { what: `The operator chose: ${event.data.choice}`, who, detail: '' };
    case 'note.manual':
      return { what: 'Changed by hand, not in the runbook', who: event.data.who, detail: event.data.text };
    case 'watch.observed':
      return event.data.ours || event.data.allowedBy !== null
        ? null
        : { what: event.data.scope === 'recovery-path' ? 'Changed by somebody else, on the recovery path' : 'Changed by somebody else, elsewhere', who: event.data.actor ?? 'unknown', detail: `${event.data.watcher}: ${event.data.object}: ${event.data.change}${circumstances(event.data)}` };
    case 'watch.gap':
      return { what: event.data.required ? 'A required watcher was blind for a time' : 'An advisory watcher was blind for a time', who: event.data.watcher, detail: event.data.detail };
    case 'evidence.write-failed':
      return { what: 'Evidence could not be written', who, detail: `${event.data.file}: ${event.data.message}` };
    case 'run.resumed':
      return { what: 'Another process took the run over', who: `${event.data.operator} on ${event.data.host}`, detail: event.data.cut ? 'a torn last line of the journal was dropped' : '' };
    case 'operator.attached':
      return { what: 'Somebody attached to the drill', who: `${event.data.who} on ${event.data.host}`, detail: '' };
    case 'cancel.requested':
      return { what: 'Cancelled', who: event.data.by, detail: '' };
    case 'cleanup.finished':
      return event.data.ok ? null : { what: 'A cleanup failed', who: event.data.id, detail: event.data.error ?? '' };
    default:
      return null;
  }
}

/** What it was and what it is, and when that happened where the watched system says it. */
function circumstances({ before, after, happened }: EventDataOf<'watch.observed'>): string {
  const word = (value: unknown) => (value === undefined || value === null ? 'nothing' : typeof value === 'string' ? value : canonicalJson(value));
  const change = (before ?? null) === null && (after ?? null) === null ? [] : [`${word(before)} -> ${word(after)}`];
  const all = [...change, ...(happened === undefined ? [] : [utc(happened)])];
  return all.length === 0 ? '' : ` (${all.join('; ')})`;
}

/** How much of the recovery is still done by hand: the budget of manual steps. */
export function manualWords({ manual: { steps, waitingMs, workingMs } }: Pick<Drill, 'manual'>, reached: boolean): string {
  if (steps === 0 && waitingMs === 0 && workingMs === 0) return 'The runbook has no manual step.';
  const all = `The runbook has ${steps} manual ${steps === 1 ? 'step' : 'steps'}.`;
  if (!reached) return `${all} None was reached.`;
  return `${all} This drill waited ${formatDuration(waitingMs)} for people, and they worked ${formatDuration(workingMs)}. \`muster history\` shows the trend.`;
}

export function humanWork(events: readonly DrillEvent[], clock: RunClock): HumanWork[] {
  const open = new Map<string, { asked: number; began: number | null }>();
  const work: HumanWork[] = [];
  for (const event of events) {
    const step = event.step;
    if (step === undefined) continue;
    if (event.type === 'human.asked') open.set(step, { asked: clock.place(event, event.data.instant), began: null });
    const times = open.get(step);
    if (times === undefined) continue;
    if (event.type === 'human.began') times.began = clock.place(event, event.data.instant);
    if (event.type === 'human.done') {
      const done = clock.place(event, event.data.instant);
      work.push({
        step,
        who: event.data.who ?? 'nobody',
        waited: formatDuration((times.began ?? done) - times.asked),
        worked: times.began === null ? '' : formatDuration(done - times.began),
        attestation: event.data.answered ? (event.data.attestation ?? '') : 'not answered',
      });
      open.delete(step);
    }
  }
  return work;
}
