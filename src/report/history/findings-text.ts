import { markdownCode, markdownTable, markdownText } from '../markdown-text.js';
import { padEnd, type Style } from '../style.js';
import { visible } from '../visible.js';
import type { Finding, FindingsList } from './findings.js';

const day = (finding: Finding) => finding.drill.startedAt?.slice(0, 10) ?? '';
const stateWords = ({ state, overdue }: Finding) => (overdue ? 'OVERDUE' : state);
const maxDetails = 3;

/** A finding's life in a line: `OVERDUE; owner alice; due 2027-01-31; ticket OPS-7`. */
export function decidedWords(finding: Finding): string {
  const { kept, because, problems } = finding;
  const facts = [['owner', kept?.owner], ['due', kept?.due], ['ticket', kept?.ticket], ['severity', kept?.severity]].flatMap(([name, value]) => (value === undefined ? [] : [`${name} ${value}`]));
  return [because === null ? stateWords(finding) : `${stateWords(finding)}: ${because}`, ...(facts.length === 0 && finding.state === 'open' ? ['no owner, no due day'] : facts), ...problems].join('; ');
}

export function findingsText({ findings, orphans }: FindingsList, shown: readonly Finding[], style: Style): string {
  const lines = shown.flatMap((finding) => {
    const colour = finding.state !== 'open' ? style.dim : finding.overdue ? style.bad : style.warn;
    const { kept, drill, details } = finding;
    const facts = [['owner', kept?.owner], ['due', kept?.due], ['ticket', kept?.ticket], ['severity', kept?.severity]].flatMap(([name, value]) => (value === undefined ? [] : [`${name} ${visible(value)}`]));
    return [
      `${style.strong(finding.id)}  ${colour(padEnd(stateWords(finding), 8))}  ${finding.code}${finding.step === null ? '' : ` at ${visible(finding.step)}`}  ${style.dim(visible(`${drill.runbook.name} ${drill.runbook.version} in ${drill.environment.name}, ${day(finding)}, ${drill.run}`))}`,
      ...details.slice(0, maxDetails).map((detail) => `  ${visible(detail)}`),
      ...(details.length > maxDetails ? [`  and ${details.length - maxDetails} more of it`] : []),
      ...(facts.length === 0 ? (finding.state === 'open' ? ['  no owner, no due day'] : []) : [`  ${facts.join(', ')}`]),
      ...(kept?.note === undefined ? [] : [`  ${visible(kept.note)}`]),
      ...(finding.because === null ? [] : [`  ${finding.state}: ${visible(finding.because)}`]),
      ...finding.problems.map((problem) => style.bad(`  ! ${visible(problem)}`)),
      '',
    ];
  });
  for (const id of orphans) lines.push(style.bad(`${id} comes from no bundle here: the bundle that it was found in is gone, or was changed.`));
  const count = (state: Finding['state']) => findings.filter((finding) => finding.state === state).length;
  lines.push(style.dim(`${count('open')} open (${findings.filter(({ overdue }) => overdue).length} overdue), ${count('accepted')} accepted, ${count('closed')} closed.`));
  return lines.map((line) => `${line}\n`).join('');
}

export function findingsMarkdown({ orphans }: FindingsList, shown: readonly Finding[]): string {
  const rows = shown.map((finding) => [
    markdownCode(finding.id),
    stateWords(finding),
    `${markdownCode(finding.code)}${finding.step === null ? '' : ` at ${markdownCode(finding.step)}`}: ${markdownText(finding.details[0] ?? '')}`,
    `${markdownText(`${finding.drill.runbook.name} ${finding.drill.runbook.version}`)}, ${day(finding)}`,
    markdownText(finding.kept?.owner ?? ''),
    finding.kept?.due ?? '',
    markdownText(finding.kept?.ticket ?? ''),
    [finding.because ?? '', ...finding.problems].filter((text) => text !== '').map(markdownText).join('; '),
  ]);
  const missing = orphans.map((id) => `- ${markdownCode(id)} comes from no bundle here.\n`).join('');
  return `${shown.length === 0 ? 'No finding is open.' : markdownTable(['Finding', 'State', 'What', 'Drill', 'Owner', 'Due', 'Ticket', ''], rows)}\n${missing === '' ? '' : `\n${missing}`}`;
}

export function findingsJson({ findings, orphans }: FindingsList): string {
  const plain = findings.map(({ drill, kept, ...finding }) => ({
    ...finding,
    run: drill.run,
    bundle: drill.sha256,
    runbook: drill.runbook.name,
    version: drill.runbook.version,
    environment: drill.environment.name,
    foundAt: drill.finishedAt,
    owner: kept?.owner ?? null,
    due: kept?.due ?? null,
    ticket: kept?.ticket ?? null,
    severity: kept?.severity ?? null,
  }));
  return `${JSON.stringify({ schema: 'muster/findings/v1', findings: plain, orphans }, null, 2)}\n`;
}
