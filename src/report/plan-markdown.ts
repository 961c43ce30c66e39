import { formatDuration } from '../engine/duration.js';
import { flattenSteps, type Plan } from '../engine/plan-document.js';
import { unknownPaths } from './plan-text.js';
import { phaseTitles } from './terminal-model.js';
import { visible } from './visible.js';

/** The plan as a pull-request comment. */
export function planMarkdown(plan: Plan): string {
  const { binding } = plan;
  const { objectives, environment, runbook } = binding;
  const destroying = flattenSteps(binding.steps).filter(({ step }) => step.effect === 'destroy');
  const facts = [
    ['Runbook', `${runbook.name} ${runbook.version}${runbook.git?.commit == null ? '' : ` at ${runbook.git.commit.slice(0, 12)}`}${runbook.git?.clean === true ? '' : ' (not what git HEAD has)'}`],
    ['Environment', `${environment.name}${environment.sandbox ? ' (sandbox)' : ''}`],
    ['Objectives', `RTO ${objectives.rtoMs === null ? 'none' : formatDuration(objectives.rtoMs)}, RPO ${objectives.rpoMs === null ? 'none' : formatDuration(objectives.rpoMs)}`],
    ['Fault', binding.fault],
    ['Inputs', Object.entries(binding.inputs).map(([name, value]) => `${name} = ${JSON.stringify(value)}`).join(', ') || 'none'],
    ['Required evidence', binding.requiredEvidence.join(', ') || 'none'],
    ['Plan digest', plan.digest],
  ];
  const out = [`## Plan: ${cell(runbook.title)}`, '', '| | |', '|---|---|', ...facts.map(([name, text]) => `| ${name} | ${cell(text ?? '')} |`), ''];
  if (destroying.length > 0) out.push(`> **Destroying steps:** ${destroying.map(({ step }) => `\`${step.id}\``).join(', ')}`, '');

  out.push('### Connections', '', '| connection | role | how |', '|---|---|---|');
  for (const [name, connection] of Object.entries(environment.connections)) out.push(`| ${name} | ${connection.role} | ${cell(connection.does)} |`);
  out.push('');
  if (binding.probes.length > 0) {
    out.push('### Probes', '', '| probe | type | what |', '|---|---|---|', ...binding.probes.map((probe) => `| ${probe.id} | ${probe.uses} | ${cell(probe.does)} |`), '');
  }
  out.push('### Steps', '', '| phase | step | effect | what | timeout | undo |', '|---|---|---|---|---|---|');
  for (const { step, branch } of [...flattenSteps(binding.steps), ...binding.cleanup.map((step) => ({ step, branch: null }))]) {
    const effect = step.effect === 'destroy' ? '**DESTROY**' : step.effect;
    const retries = step.attempts > 1 ? ` × ${step.attempts}` : '';
    out.push(`| ${phaseTitles[step.phase]}${branch === null ? '' : ` (${branch})`} | \`${step.id}\` | ${effect} | ${cell(step.does)} | ${formatDuration(step.timeoutMs)}${retries} | ${cell(step.undo.join('; '))} |`);
  }
  const unknown = flattenSteps(binding.steps).flatMap(({ step }) => unknownPaths(step.with).map((path) => `\`${step.id}\`: ${cell(path)}`));
  if (unknown.length > 0) out.push('', '<details><summary>Known only in the run</summary>', '', ...unknown.map((line) => `- ${line}`), '', '</details>');
  return `${out.join('\n')}\n`;
}

/** Text inside a table cell: no markup of its own, no line break. */
function cell(text: string): string {
  return visible(text).replaceAll(/[\\`*_{}[\]<>|#]/g, '\\$&');
}
