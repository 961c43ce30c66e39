import { flattenSteps, type Plan, type PlanStep } from '../engine/plan-document.js';
import { checkCounts } from './plan-checks.js';
import { allSteps, argumentsOf, boundaryFacts, headFacts, openValues, permissionsOf, selectionOf, timing } from './plan-model.js';
import { phaseTitles } from './terminal-model.js';
import { visible } from './visible.js';

/** What a comment on GitHub may hold, less a little: details go first. */
const maxLength = 60_000;

/** The plan as a pull-request comment. */
export function planMarkdown(plan: Plan): string {
  const whole = render(plan, true);
  return whole.length <= maxLength ? whole : render(plan, false);
}

function render(plan: Plan, details: boolean): string {
  const { binding, observed } = plan;
  const destroying = allSteps(plan).filter(({ effect }) => effect === 'destroy');
  const out = [`## Plan: ${cell(binding.runbook.title)}`, '', '| | |', '|---|---|', ...headFacts(plan).map(([name, text]) => `| ${name} | ${cell(text)} |`), `| digest | \`${plan.digest}\` |`, ''];
  if (destroying.length > 0) out.push(`> :warning: **Destroying steps:** ${destroying.map(({ id, does, calls }) => `\`${id}\` (${cell(calls[0] ?? does)})`).join(', ')}`, '');

  const failed = observed.checks.filter(({ result }) => result === 'failed');
  out.push(`### Preflight: ${checkCounts(observed.checks)}`, '');
  if (failed.length > 0) out.push('> :x: `muster run` would refuse this.', '');
  const open = observed.checks.filter(({ result }) => result !== 'passed');
  if (open.length > 0) out.push('| check | result | |', '|---|---|---|', ...open.map((check) => `| ${cell(`${check.step === null ? '' : `step ${check.step}: `}${check.id}`)} | ${check.result === 'failed' ? '**failed**' : check.result} | ${cell(check.detail)} |`), '');

  out.push('### Boundary', '', '| | |', '|---|---|', ...boundaryFacts(plan).map(([name, text]) => `| ${name} | ${cell(text)} |`));
  for (const [name, { role, does }] of Object.entries(binding.environment.connections)) out.push(`| connection ${name} | ${role === 'production' ? '**production, read-only**' : role}: ${cell(does)} |`);
  for (const [name, { provision, to, host, port }] of Object.entries(binding.environment.endpoints)) out.push(`| endpoint ${name} | ${provision}${to === null ? '' : `, leads to ${to}`}${host === null ? '' : cell(`, ${host}:${port ?? ''}`)} |`);
  out.push('');
  if (binding.probes.length > 0) out.push('### Probes', '', '| probe | type | what |', '|---|---|---|', ...binding.probes.map((probe) => `| ${probe.id} | ${probe.uses} | ${cell(probe.does)} |`), '');

  out.push('### Steps', '', '| phase | step | effect | what | time | undo |', '|---|---|---|---|---|---|');
  for (const { step, branch } of [...flattenSteps(binding.steps), ...binding.cleanup.map((step) => ({ step, branch: null }))]) {
    const effect = step.effect === 'destroy' ? ':warning: **DESTROYS**' : step.effect;
    const selection = selectionOf(step, plan);
    out.push(`| ${phaseTitles[step.phase]}${branch === null ? '' : ` (${branch})`} | \`${step.id}\` | ${effect} | ${cell(`${step.does}${selection === undefined ? '' : ` (${selection})`}`)} | ${cell(timing(step, plan))} | ${cell(step.undo.join('; '))} |`);
  }
  const unknown = allSteps(plan).flatMap((step) => openValues(step.with).map(({ at, path }) => `- \`${step.id}\`: ${cell(at)} is ${cell(path)}`));
  if (unknown.length > 0) out.push('', '<details><summary>Known only in the run</summary>', '', ...unknown, '', '</details>');
  if (details) out.push('', '<details><summary>Arguments, calls and rights of each step</summary>', '', ...allSteps(plan).flatMap(stepDetails), '</details>');
  else out.push('', 'Arguments, calls and rights of the steps are left out here for their length: see the plan itself.');
  return `${out.join('\n')}\n`;
}

function stepDetails(step: PlanStep): string[] {
  return [
    `**\`${step.id}\`** ${step.uses}`,
    '',
    ...(Object.keys(step.with).length === 0 ? [] : [`- with ${cell(argumentsOf(step.with))}`]),
    ...step.calls.map((call) => `- calls ${cell(call)}`),
    ...permissionsOf(step.permissions).map((right) => `- needs ${cell(right)}`),
    ...step.files.map(({ path, sha256 }) => `- file ${cell(path)}, sha256 ${sha256}`),
    '',
  ];
}

/** Text inside a table cell: no markup of its own, no line break, and nobody is mentioned. */
function cell(text: string): string {
  return visible(text).replaceAll(/[\\`*_{}[\]<>|#~]/g, '\\$&').replaceAll('@', '@\u200b');
}
