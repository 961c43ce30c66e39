import { formatDuration } from '../../engine/duration.js';
import type { Verdict } from '../../engine/drill.js';
import { padEnd, padStart, type Style } from '../style.js';
import { utc, visible } from '../visible.js';
import { median, seriesOf, sparkline, type Series } from './series.js';
import type { Figure, History, Undelivered } from './types.js';

/** Past drills for people, by runbook and environment, oldest first. */
export function historyText({ bundles, unreadable }: Pick<History, 'bundles' | 'unreadable'>, style: Style): string {
  const lines = seriesOf(bundles).flatMap((series) => [...seriesLines(series, style), '']);
  for (const { folder, why } of unreadable) lines.push(style.bad(visible(`${folder}: left out: ${why}`)));
  lines.push(style.dim(`${bundles.length} ${bundles.length === 1 ? 'drill' : 'drills'}, as the bundles say of themselves; \`muster verify\` derives each again.`));
  return lines.map((line) => `${line}\n`).join('');
}

/** What sinks were not told; empty where they were told all. */
export function undeliveredText(undelivered: readonly Undelivered[], style: Style): string {
  if (undelivered.length === 0) return '';
  const lines = undelivered.map(({ run, delivery: { sink, to, error } }) => `  ${visible(`${run}  ${sink} ${to}: ${error ?? 'no reason given'}`)}`);
  return [style.warn('Not delivered (muster send BUNDLE sends it again)'), ...lines].map((line) => `${line}\n`).join('');
}

function seriesLines({ runbook, title, environment, sandbox, drills }: Series, style: Style): string[] {
  const rto = drills.map((drill) => drill.rto.ms);
  const rpo = drills.map((drill) => drill.rpo.ms);
  const passed = drills.filter((drill) => drill.verdict === 'passed').length;
  return [
    `${style.strong(visible(runbook))} in ${visible(environment)}${sandbox ? ' (sandbox)' : ''}  ${style.dim(visible(title))}`,
    `  ${passed} of ${drills.length} passed`,
    `  RTO ${style.accent(sparkline(rto))}  ${summary(rto, drills.at(-1)?.rto)}`,
    `  RPO ${style.accent(sparkline(rpo))}  ${summary(rpo, drills.at(-1)?.rpo)}`,
    ...manualLines(drills, style),
    ...drills.map((drill) => {
      const codes = [...new Set(drill.reasons.map(({ code }) => code))].join(' ');
      return `  ${drill.startedAt === null ? 'never started'.padEnd(23) : utc(drill.startedAt)}  ${tone(drill.verdict, style)(padEnd(drill.verdict, 10))}  RTO ${padStart(figure(drill.rto), 12)}  RPO ${padStart(figure(drill.rpo), 12)}  ${padEnd(visible(drill.runbook.version), 8)} ${visible(drill.run)}${codes === '' ? '' : `  ${codes}`}`;
    }),
  ];
}

type Manual = Series['drills'][number]['manual'];

/** Nothing where no drill has left anything to people. */
function manualLines(drills: Series['drills'], style: Style): string[] {
  const last = drills.at(-1)?.manual;
  if (last === undefined || drills.every(({ manual }) => manual.steps === 0 && manual.waitingMs === 0)) return [];
  const spark = (of: (manual: Manual) => number) => style.accent(sparkline(drills.map(({ manual }) => of(manual))));
  return [`  manual steps ${spark(({ steps }) => steps)}  last ${last.steps}; waited for people ${spark(({ waitingMs }) => waitingMs)}  last ${formatDuration(last.waitingMs)}, worked ${formatDuration(last.workingMs)}`];
}

function summary(values: readonly (number | null)[], last: Figure | undefined): string {
  const middle = median(values);
  if (middle === null) return 'never measured';
  return [`last ${last === undefined ? '' : figure(last)}`, `median ${formatDuration(middle)}`, ...(typeof last?.objectiveMs === 'number' ? [`target ${formatDuration(last.objectiveMs)}`] : [])].join(', ');
}

export function figure({ ms, status }: Figure): string {
  return ms === null ? 'not measured' : `${formatDuration(ms)}${status === 'missed' ? '!' : ''}`;
}

export function tone(verdict: Verdict, style: Style): (text: string) => string {
  return { passed: style.good, failed: style.bad, incomplete: style.warn, cancelled: style.dim }[verdict];
}
