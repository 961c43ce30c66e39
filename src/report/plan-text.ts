import { formatDuration } from '../engine/duration.js';
import { flattenSteps, type Plan, type PlanStep } from '../engine/plan-document.js';
import { cut, padEnd, type Style } from './style.js';
import { blocksOf } from './terminal-blocks.js';
import { phaseTitles } from './terminal-model.js';
import { visible } from './visible.js';

/** The plan for a terminal: by phase, with effect, timeout and cleanup of each step; destroying steps stand out. */
export function planText(plan: Plan, style: Style, columns: number): string {
  const { binding } = plan;
  const out: string[] = [];
  const fact = (name: string, text: string): void => void out.push(`  ${padEnd(style.dim(name), 12)}${text}`);
  out.push(style.strong(visible(binding.runbook.title)));
  fact('runbook', `${binding.runbook.name} ${binding.runbook.version}${gitNote(binding.runbook.git, style)}, owner ${visible(binding.runbook.owner)}`);
  fact('environment', `${binding.environment.name}${binding.environment.sandbox ? ' (sandbox)' : ''}`);
  fact('objectives', objectives(plan));
  fact('fault', binding.fault);
  for (const [name, value] of Object.entries(binding.inputs)) fact('input', `${name} = ${visible(JSON.stringify(value))}`);

  out.push('', style.strong('Environment'));
  for (const [name, connection] of Object.entries(binding.environment.connections)) {
    out.push(`  ${padEnd(name, 12)}${role(connection.role, style)}  ${visible(connection.does)}`);
  }
  for (const [name, endpoint] of Object.entries(binding.environment.endpoints)) {
    out.push(`  ${padEnd(name, 12)}endpoint    ${endpoint.provision}${endpoint.to === null ? '' : `, leads to ${endpoint.to}`}${endpoint.host === null ? '' : `, ${endpoint.host}:${endpoint.port ?? ''}`}`);
  }
  if (binding.environment.forbidden.length > 0) fact('forbidden', binding.environment.forbidden.join(', '));

  if (binding.probes.length > 0) out.push('', `${style.strong('Beside the steps')}`);
  for (const probe of binding.probes) out.push(`  ${padEnd(probe.id, 14)}${style.dim(probe.uses)}  ${visible(probe.does)}`);

  for (const { phase, blocks } of blocksOf(binding.steps)) {
    out.push('', style.strong(phaseTitles[phase]));
    for (const block of blocks) {
      if (block.kind === 'step') continue;
      out.push(style.dim(`  side by side: ${Object.entries(block.branches).map(([name, ids]) => `${name} (${ids.join(', ')})`).join(' | ')}`));
    }
    const ids = new Set(blocks.flatMap((block) => (block.kind === 'step' ? [block.id] : Object.values(block.branches).flat())));
    for (const { step } of flattenSteps(binding.steps)) if (ids.has(step.id)) out.push(...stepLines(step, style, columns));
  }
  if (binding.cleanup.length > 0) out.push('', style.strong('Always at the end'));
  for (const step of binding.cleanup) out.push(...stepLines(step, style, columns));

  out.push('', style.strong('What the bundle must hold'), `  ${binding.requiredEvidence.length === 0 ? 'nothing is required' : binding.requiredEvidence.join(', ')}`);
  const destroying = flattenSteps(binding.steps).filter(({ step }) => step.effect === 'destroy');
  if (destroying.length > 0) out.push('', style.bad(`${destroying.length} ${destroying.length === 1 ? 'step destroys' : 'steps destroy'} something: ${destroying.map(({ step }) => step.id).join(', ')}`));
  out.push('', style.dim(`Nothing was started or written. Plan digest ${plan.digest}`), '');
  return out.join('\n');
}

const effectMarks = { read: ' ', create: '+', modify: '~', destroy: '-' } as const;

function stepLines(step: PlanStep, style: Style, columns: number): string[] {
  const colour = { read: style.dim, create: style.good, modify: style.warn, destroy: style.bad }[step.effect];
  const room = Math.max(40, columns - 6);
  const lines = [
    `  ${colour(effectMarks[step.effect])} ${style.strong(step.id)}  ${colour(step.effect === 'destroy' ? 'DESTROYS' : step.effect)}  ${style.dim(`${step.uses}, timeout ${formatDuration(step.timeoutMs)}${step.attempts > 1 ? `, up to ${step.attempts} attempts` : ''}${step.gate ? ', recovery counts as done no earlier' : ''}`)}`,
    `      ${cut(visible(step.does), room)}`,
  ];
  for (const call of step.calls) lines.push(style.dim(`      › ${cut(visible(call), room - 2)}`));
  for (const undo of step.undo) lines.push(style.dim(`      undo: ${cut(visible(undo), room - 6)}`));
  for (const file of step.files) lines.push(style.dim(`      file ${visible(file.path)} sha256 ${file.sha256.slice(0, 12)}`));
  const unknown = unknownPaths(step.with);
  if (unknown.length > 0) lines.push(style.dim(`      known only in the run: ${unknown.join(', ')}`));
  return lines;
}

function role(name: 'production' | 'source' | 'target', style: Style): string {
  return padEnd(name === 'production' ? style.strong('production (read-only)') : name, 10);
}

function objectives({ binding: { objectives } }: Plan): string {
  const rto = objectives.rtoMs === null ? 'no RTO' : `RTO ${formatDuration(objectives.rtoMs)}`;
  const rpo = objectives.rpoMs === null ? 'no RPO' : objectives.rpoMs === 0 ? 'RPO 0 (no acknowledged row lost)' : `RPO ${formatDuration(objectives.rpoMs)}`;
  return `${rto}, ${rpo}`;
}

function gitNote(git: Plan['binding']['runbook']['git'], style: Style): string {
  if (git === null) return style.warn(' (in no git repository)');
  if (!git.tracked) return style.warn(' (not tracked by git)');
  if (!git.clean) return style.warn(' (differs from git HEAD)');
  return git.commit === null ? '' : ` at ${git.commit.slice(0, 12)}`;
}

/** Template paths that stay open until the run, each once. */
export function unknownPaths(value: unknown): string[] {
  const found = new Set<string>();
  const walk = (item: unknown): void => {
    if (item === null || typeof item !== 'object') return;
    if ('unknown' in item && typeof item.unknown === 'string' && Object.keys(item).length === 1) found.add(item.unknown);
    else for (const member of Object.values(item)) walk(member);
  };
  walk(value);
  return [...found];
}
