import { markdownCode, markdownTable, markdownText } from '../markdown-text.js';
import type { Style } from '../style.js';
import { visible } from '../visible.js';
import { disclaimer, type ControlDrill, type ControlMatrix } from './controls.js';
import { figure, tone } from './text.js';

export function controlsText({ frameworks, unmapped }: ControlMatrix, style: Style): string {
  const lines: string[] = [];
  for (const { metadata, rows } of frameworks) {
    lines.push(style.strong(visible(metadata.title)), style.dim(`  from ${visible(metadata.source)}, ${metadata.checked} source`));
    if (metadata.note !== undefined) lines.push(`  ${visible(metadata.note)}`);
    for (const { id, title, drills, not } of rows.filter((row) => row.drills.length > 0)) {
      lines.push('', `  ${style.strong(visible(id))}  ${visible(title)}`);
      for (const each of drills) lines.push(...drillLines(each, style));
      lines.push(style.dim(`    no bundle shows: ${visible(not.join('; '))}`));
    }
    const without = rows.filter(({ drills }) => drills.length === 0);
    if (without.length > 0) lines.push('', style.dim('  no drill: no runbook that was drilled names'), ...without.map(({ id, title }) => style.dim(`    ${visible(id)}  ${visible(title)}`)));
    lines.push('');
  }
  if (unmapped.length > 0) lines.push(style.strong('Named by runbooks, in no mapping'), ...unmapped.flatMap(({ id, drills }) => [`  ${visible(id)}`, ...drills.flatMap((each) => drillLines(each, style))]), '');
  lines.push(summary(frameworks), disclaimer);
  return lines.map((line) => `${line}\n`).join('');
}

/** How many have a record, and what their latest drills say. */
function summary(frameworks: ControlMatrix['frameworks']): string {
  const rows = frameworks.flatMap((each) => each.rows);
  const drilled = rows.filter(({ drills }) => drills.length > 0);
  const passed = drilled.filter(({ drills }) => drills.every(({ drill, sound }) => sound && drill.verdict === 'passed')).length;
  return `Of ${rows.length} controls, ${drilled.length} ${drilled.length === 1 ? 'has' : 'have'} a drill. The latest drill passed for ${passed} of them and did not for ${drilled.length - passed}.`;
}

/** What came before the latest drill, where that says more than it does. */
function seriesWords({ drill, series: { drills, passed, lastPass } }: ControlDrill): string[] {
  if (drills === 1 || drill.verdict === 'passed') return [];
  if (lastPass === null) return [`none of ${drills} drills passed`];
  return [`${passed} of ${drills} drills passed, the last on ${lastPass.startedAt?.slice(0, 10) ?? 'no day'} with version ${lastPass.version} (${lastPass.run}), as the bundles say`];
}

function drillLines(each: ControlDrill, style: Style): string[] {
  const { drill, ageDays, seal, approvers, reviewers, sound } = each;
  const verdict = sound ? tone(drill.verdict, style)(drill.verdict) : style.bad('DOES NOT VERIFY');
  return [
    `    ${verdict}  RTO ${figure(drill.rto)}, RPO ${figure(drill.rpo)}  ${age(ageDays)}  ${visible(`${drill.runbook.name} ${drill.runbook.version} in ${drill.environment.name}${drill.environment.sandbox ? ' (sandbox)' : ''}`)}`,
    style.dim(`      ${visible(drill.run)}; ${visible(seal)}; ${approvers.length === 0 ? '' : `plan approved: ${visible(approvers.join('; '))}; `}${reviewers.length === 0 ? 'no review' : `reviewed: ${visible(reviewers.join('; '))}`}`),
    ...seriesWords(each).map((words) => style.dim(`      ${visible(words)}`)),
  ];
}

export function controlsMarkdown({ frameworks, unmapped }: ControlMatrix): string {
  const row = (id: string, title: string, drills: readonly ControlDrill[]) =>
    drills.length === 0
      ? [[markdownText(id), markdownText(title), 'no drill', '', '', '', '', '', '']]
      : drills.map(({ drill, ageDays, seal, approvers, reviewers, sound }) => [
          markdownText(id), markdownText(title), markdownCode(drill.run), sound ? drill.verdict : '**does not verify**', `${figure(drill.rto)} / ${figure(drill.rpo)}`,
          markdownText(seal), markdownText(approvers.length === 0 ? 'none' : approvers.join('; ')), markdownText(reviewers.length === 0 ? 'none' : reviewers.join('; ')), age(ageDays),
        ]);
  const table = (rows: readonly (readonly string[])[]) => markdownTable(['Control', '', 'Drill', 'Verdict', 'RTO / RPO', 'Signature', 'Plan approved', 'Reviewed', 'Age'], rows);
  const blocks = frameworks.flatMap(({ metadata, rows }) => [`## ${markdownText(metadata.title)}`, `Source: ${markdownText(metadata.source)} (${metadata.checked}).${metadata.note === undefined ? '' : ` ${markdownText(metadata.note)}`}`, table(rows.flatMap(({ id, title, drills }) => row(id, title, drills)))]);
  if (unmapped.length > 0) blocks.push('## Named by runbooks, in no mapping', table(unmapped.flatMap(({ id, drills }) => row(id, '', drills))));
  return `${[...blocks, disclaimer].join('\n\n')}\n`;
}

const age = (days: number) => (days <= 0 ? 'today' : days === 1 ? '1 day old' : `${days} days old`);
