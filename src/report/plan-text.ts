import { flattenSteps, type Plan, type PlanStep } from '../engine/plan-document.js';
import { checkCounts, checkLines } from './plan-checks.js';
import { allSteps, argumentsOf, boundaryFacts, headFacts, openValues, permissionsOf, selectionOf, timing } from './plan-model.js';
import { padEnd, width as columnsOf, type Style } from './style.js';
import { blocksOf } from './terminal-blocks.js';
import { phaseTitles } from './terminal-model.js';
import { visible } from './visible.js';

/** The plan for a terminal: what matters on top, then every step by phase; what destroys stands out. */
export function planText(plan: Plan, style: Style, columns: number): string {
  const { binding, observed } = plan;
  const width = Math.max(60, columns);
  const out: string[] = [style.strong(visible(binding.runbook.title))];
  const fact = (name: string, text: string, label = 14): void => void out.push(...hanging(`  ${padEnd(style.dim(name), label)}`, label + 2, visible(text), width));
  for (const [name, text] of headFacts(plan)) fact(name, text);
  for (const step of allSteps(plan)) if (step.effect === 'destroy') out.push(...hanging(`  ${padEnd(style.bad('DESTROYS'), 14)}`, 16, visible(`${step.id}: ${step.calls[0] ?? step.does}`), width));

  out.push('', style.strong('Boundary'));
  for (const [name, text] of boundaryFacts(plan)) fact(name, text);
  for (const [name, connection] of Object.entries(binding.environment.connections)) {
    const role = connection.role === 'production' ? 'production, read-only' : connection.role;
    fact(name, `${role}: ${connection.does}`);
  }
  for (const [name, endpoint] of Object.entries(binding.environment.endpoints)) {
    fact(name, `endpoint (${endpoint.provision})${endpoint.to === null ? '' : `, leads to ${endpoint.to}`}${endpoint.host === null ? '' : `, ${endpoint.host}:${endpoint.port ?? ''}`}`);
  }

  out.push('', `${style.strong('Preflight')}  ${checkCounts(observed.checks)}${observed.checks.some(({ result }) => result === 'failed') ? style.bad('  muster run would refuse this') : ''}`);
  out.push(...checkLines(observed.checks, style, { passed: false }).flatMap((line) => hanging('', 6, line, width)));

  if (binding.probes.length > 0) out.push('', style.strong('Beside the steps'));
  for (const probe of binding.probes) {
    out.push(`  ${style.strong(probe.id)}  ${style.dim(probe.uses)}`, ...hanging('      ', 6, visible(probe.does), width), ...dimmed(`needs ${permissionsOf(probe.permissions).join('; ') || 'no rights'}`, style, width));
  }

  for (const { phase, blocks } of blocksOf(binding.steps)) {
    out.push('', style.strong(phaseTitles[phase]));
    for (const block of blocks) {
      if (block.kind === 'step') continue;
      out.push(style.dim(`  side by side: ${Object.entries(block.branches).map(([name, ids]) => `${name} (${ids.join(', ')})`).join(' | ')}`));
    }
    const ids = new Set(blocks.flatMap((block) => (block.kind === 'step' ? [block.id] : Object.values(block.branches).flat())));
    for (const { step } of flattenSteps(binding.steps)) if (ids.has(step.id)) out.push(...stepLines(step, plan, style, width));
  }
  if (binding.cleanup.length > 0) out.push('', style.strong('Always at the end'));
  for (const step of binding.cleanup) out.push(...stepLines(step, plan, style, width));

  const open = allSteps(plan).flatMap((step) => openValues(step.with).map(({ at, path }) => `${step.id}: ${at} = <${path}>`));
  out.push('', style.strong('Known only in the run'), ...(open.length === 0 ? ['  nothing'] : open.map((line) => `  ${visible(line)}`)));
  out.push('', style.dim('Nothing was started or written.'), style.dim(`Plan digest ${plan.digest}`), '');
  return out.join('\n');
}

const effectMarks = { read: ' ', create: '+', modify: '~', destroy: '!' } as const;
const effectWords = { read: 'reads', create: 'creates', modify: 'modifies', destroy: 'DESTROYS' } as const;

function stepLines(step: PlanStep, plan: Plan, style: Style, width: number): string[] {
  const colour = { read: style.dim, create: style.good, modify: style.warn, destroy: style.bad }[step.effect];
  const title = step.title === null ? '' : `  ${visible(step.title)}`;
  const lines = [`  ${colour(effectMarks[step.effect])} ${style.strong(step.id)}  ${colour(effectWords[step.effect])}${title}`, ...hanging('      ', 6, visible(step.does), width)];
  const selection = selectionOf(step, plan);
  if (selection !== undefined) lines.push(...hanging('      ', 8, visible(selection), width));
  lines.push(...dimmed(`${step.uses} { ${argumentsOf(step.with)} }`, style, width));
  for (const call of step.calls) lines.push(...dimmed(`› ${call}`, style, width));
  lines.push(...dimmed(`${timing(step, plan)}${step.gate ? '; recovery counts as done no earlier than its end' : ''}`, style, width));
  const rights = permissionsOf(step.permissions);
  if (rights.length > 0) lines.push(...dimmed(`needs ${rights.join('; ')}`, style, width));
  for (const undo of step.undo) lines.push(...dimmed(`undo: ${undo}`, style, width));
  for (const file of step.files) lines.push(...dimmed(`file ${file.path}, sha256 ${file.sha256.slice(0, 16)}`, style, width));
  return lines;
}

function dimmed(text: string, style: Style, width: number): string[] {
  return hanging('      ', 8, visible(text), width).map(style.dim);
}

/** Words after `first`, broken before `width`; further lines are indented. `first` and `text` may hold colours. */
function hanging(first: string, indent: number, text: string, width: number): string[] {
  const lines: string[] = [];
  let line = first;
  let empty = true;
  for (const word of text.split(' ')) {
    const long = columnsOf(`${line}${empty ? '' : ' '}${word}`) > width;
    if (long && !empty) {
      lines.push(line);
      line = `${' '.repeat(indent)}${word}`;
    } else line = `${line}${empty ? '' : ' '}${word}`;
    empty = false;
  }
  return [...lines, line];
}
