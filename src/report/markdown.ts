import { reportModel, type ReportInput, type ReportModel } from './model.js';
import { markdownCode as code, markdownTable as table, markdownText as text } from './markdown-text.js';

const marks = { good: '✅', bad: '❌', warn: '⚠️', quiet: '➖' } as const satisfies Record<ReportModel['verdict']['tone'], string>;
/** A comment on a pull request has room for 65,536 characters. */
const maxSteps = 150;

/** Fit for a pull-request comment: GitHub-flavoured Markdown, the long parts folded. Values of others inject nothing. */
export function reportMarkdown(input: ReportInput): string {
  const model = reportModel(input);
  const blocks = [
    `## ${marks[model.verdict.tone]} ${model.verdict.word}: ${text(model.title)}`,
    model.verdict.sentence,
    model.reasons.map((reason) => [`- **${reason.words}** (\`${reason.code}\`)`, ...reason.items.map(({ step, detail }) => `  - ${step === null ? '' : `step ${code(step)}: `}${text(detail)}`)].join('\n')).join('\n'),
    table(['', 'Achieved', 'Target', 'Result'], model.objectives.map((objective) => [`**${objective.short}** ${text(objective.title)}`, `**${objective.value}**`, objective.target, `${marks[objective.tone]} ${objective.status}${objective.why === null ? '' : `: ${text(objective.why)}`}`])),
    stepTable(model),
    folded(`Evidence: ${model.evidence.filter(({ tone }) => tone === 'good').length} of ${model.evidence.length} kinds`, table(['Kind', '', 'Says', 'sha256'], model.evidence.map((item) => [`${code(item.kind)}${item.required ? ' (required)' : ''}`, `${marks[item.tone]} ${item.status}`, text(item.says), item.file === null ? '' : code(item.file.sha256)]))),
    model.deviations.length + model.human.length === 0
      ? ''
      : [
          '### Deviations and manual work',
          '',
          ...model.deviations.map((deviation) => `- ${deviation.at}: ${text(deviation.what)}${deviation.who === '' ? '' : ` (${text(deviation.who)})`}${deviation.detail === '' ? '' : `: ${text(deviation.detail)}`}`),
          ...model.human.map((work) => `- manual step ${code(work.step)}: ${text(work.who)} attested ${text(work.attestation)}; waited ${work.waited}${work.worked === '' ? '' : `, worked ${work.worked}`}`),
        ].join('\n'),
    input.drill.manual.steps === 0 ? '' : text(model.manual),
    model.findings.length === 0 ? '' : ['### Findings and actions', '', ...model.findings.map((finding) => `- **${finding.words}** (\`${finding.code}\`, ${finding.weight}): ${text(finding.action)}${finding.decided.map((each) => `\n  - ${text(each)}`).join('')}`)].join('\n'),
    model.gaps.length + model.clock.length === 0 ? '' : ['### Gaps and clock', '', ...model.gaps.map((gap) => `- probe ${code(gap.probe)} saw nothing for ${gap.lasted}, from ${gap.from} after the fault`), ...model.clock.map((span) => `- ${text(span.span)}: ${span.monotonic} by the monotonic clock, ${span.utc} by UTC; ${span.counted} counted`)].join('\n'),
    `**Restored data**: ${text(model.deletion.words)}${model.deletion.kept.length === 0 ? '' : ` Kept on purpose: ${text(model.deletion.kept.join('; '))}.`}`,
    folded('Beside production', table(['', 'In this drill', 'In production'], model.scale.map((row) => [row.what, text(row.drill), text(row.production)]))),
    model.trend.length === 0 ? '' : folded(`Trend: ${model.trend.length} drills`, table(['Drill', 'Verdict', 'RTO', 'RPO', 'By hand'], model.trend.map((row) => [`${row.when}${row.sha256 === '' ? ' (this drill)' : ''}`, `${marks[row.tone]} ${row.verdict}`, row.rto, row.rpo, row.byHand]))),
    model.controls.length === 0 ? '' : folded(`Controls that the runbook names: ${model.controls.length}`, `${table(['Control', '', 'What a bundle shows of it', 'What no bundle shows'], model.controls.map((control) => [code(control.id), text(control.title), text(control.shows), text(control.not)]))}\n\nThis does not assess compliance with any of them.`),
    folded('What was drilled, and what this holds for', table(['', ''], [...model.identity, ...model.scope].map((fact) => [fact.label, fact.code === true ? code(fact.value) : text(fact.value)]))),
    `### Not proved\n\n${[...model.notProved.map((line) => `- ${text(line)}`), '- Who made this bundle, unless it is sealed.'].join('\n')}`,
    model.store === null ? '' : [`### Evidence store\n\n${text(model.store.registered)}`, ...(model.store.open.length === 0 ? [] : ['Registered there, and without a bundle:', model.store.open.map(({ run, what }) => `- ${code(run)} ${text(what)}`).join('\n')])].join('\n\n'),
    'Check the bundle with `muster verify <folder>`. This report records a test; it does not assess compliance.',
  ];
  return `${blocks.filter((block) => block !== '').join('\n\n')}\n`;
}

function stepTable({ gantt }: ReportModel): string {
  const rows = gantt.groups.flatMap(({ phase, rows: drawn, others }) => [...drawn, ...others].map((step) => [phase, `${step.isUnit ? '↳ ' : ''}${code(step.id)}`, step.start, step.duration, `${marks[step.tone]} ${step.status}${step.notes.length === 0 ? '' : `: ${text(step.notes.join('; '))}`}`]));
  const more = rows.length > maxSteps ? `\n\n${rows.length - maxSteps} more steps are in the bundle's report.html.` : '';
  return folded(`Steps: ${rows.length}`, table(['Phase', 'Step', 'Began at', 'Took', 'Result'], rows.slice(0, maxSteps)) + more);
}

function folded(summary: string, content: string): string {
  return `<details><summary>${summary}</summary>\n\n${content}\n\n</details>`;
}
