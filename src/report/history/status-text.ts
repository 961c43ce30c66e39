import { formatDuration } from '../../engine/duration.js';
import { padEnd, type Style } from '../style.js';
import { visible } from '../visible.js';
import { isOverdue, type Due, type DueState } from './due.js';

const words = { current: 'current', due: 'DUE', overdue: 'OVERDUE', 'never-run': 'NEVER RUN', 'never-passed': 'NEVER PASSED', 'no-cadence': 'no cadence' } as const satisfies Record<DueState, string>;

/** Where each runbook stands, the worst first. */
export function statusText(all: readonly Due[], now: Date, style: Style): string {
  const lines = all.flatMap((due) => [...dueLines(due, now, style), '']);
  const late = all.filter(isOverdue).length;
  lines.push(style.dim(`As of ${dayOf(now.toISOString())}: ${all.length} ${all.length === 1 ? 'runbook' : 'runbooks'}, ${late === 0 ? 'none overdue' : `${late} overdue or without any pass`}. A pass counts when its bundle verifies.`));
  return lines.map((line) => `${line}\n`).join('');
}

function dueLines({ runbook, state, lastRun, lastPass, voidedBy, dueAt, overdueAt, notes }: Due, now: Date, style: Style): string[] {
  const colour = state === 'current' ? style.good : state === 'due' ? style.warn : state === 'no-cadence' ? style.dim : style.bad;
  const lines = [`${colour(padEnd(words[state], 13))} ${style.strong(visible(runbook.name))} ${visible(runbook.version)}, ${runbook.cadence ?? 'no cadence'}, ${visible(runbook.owner)}`];
  const say = (label: string, text: string) => lines.push(`  ${padEnd(label, 11)} ${visible(text)}`);
  if (lastPass === null) say('last pass', 'none');
  else {
    const rto = lastPass.rto.ms === null ? 'RTO not measured' : `RTO ${formatDuration(lastPass.rto.ms)}`;
    const rpo = lastPass.rpo.ms === null ? 'RPO not measured' : `RPO ${formatDuration(lastPass.rpo.ms)}`;
    say('last pass', `${dayOf(lastPass.startedAt)}, ${agoOf(lastPass.startedAt, now)}, in ${lastPass.environment.name}${lastPass.environment.sandbox ? ' (sandbox)' : ''}: ${rto}, ${rpo}`);
  }
  if (lastRun !== null && lastRun.run !== lastPass?.run) say('last run', `${dayOf(lastRun.startedAt)}: ${lastRun.verdict}${lastRun.reasons.length === 0 ? '' : ` (${[...new Set(lastRun.reasons.map(({ code }) => code))].join(', ')})`}`);
  for (const change of voidedBy) say('void', `${change}; the last pass shows nothing about what is here now`);
  if (dueAt !== null && overdueAt !== null) say('next', `due ${dayOf(dueAt)}, overdue after ${dayOf(overdueAt)}`);
  for (const note of notes) say('note', note);
  return lines;
}

const dayOf = (at: string | null) => at?.slice(0, 10) ?? 'never';

function agoOf(at: string | null, now: Date): string {
  const days = at === null ? 0 : Math.floor((now.getTime() - Date.parse(at)) / 86_400_000);
  return days <= 0 ? 'today' : days === 1 ? '1 day ago' : `${days} days ago`;
}
