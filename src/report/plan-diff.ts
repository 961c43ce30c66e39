import type { PlanDifference } from '../engine/plan/difference.js';
import { formatDuration } from '../engine/duration.js';
import type { Plan } from '../engine/plan-document.js';
import { cut, type Style } from './style.js';
import { visible } from './visible.js';

const marks = { added: '+', removed: '-', changed: '~', moved: '>' } as const;

/** One line without colour: `~ objectives: rtoMs 15m -> 30m (the objective is loosened)`. */
export function differenceLine(difference: PlanDifference): string {
  return `${marks[difference.kind]} ${difference.area}: ${inWords(difference)}${difference.alarm === null ? '' : ` (! ${difference.alarm})`}`;
}

function inWords({ kind, what, before, after }: PlanDifference): string {
  const name = what === '' ? '' : `${what} `;
  if (kind === 'moved') return before === undefined ? `moved ${what}` : `${name}in another order`;
  if (kind === 'added') return `${name}${what === '' ? `added: ${whole(after)}` : `+ ${shown(after, what)}`}`;
  if (kind === 'removed') return `${name}${what === '' ? `removed: ${whole(before)}` : `- ${shown(before, what)}`}`;
  return `${name}${shown(before, what)} -> ${shown(after, what)}`;
}

/** A step or probe by what it does. */
function whole(value: unknown): string {
  if (typeof value !== 'object' || value === null) return shown(value, '');
  const { does, uses, effect } = value as { readonly does?: unknown; readonly uses?: unknown; readonly effect?: unknown };
  const parts = [uses, effect].filter((part) => typeof part === 'string').join(', ');
  return typeof does === 'string' ? `${parts === '' ? '' : `${parts}: `}${does}` : parts === '' ? JSON.stringify(value) : parts;
}

function shown(value: unknown, what: string): string {
  if (value === undefined || value === null) return 'none';
  if (typeof value === 'number' && what.endsWith('Ms')) return formatDuration(value);
  if (typeof value === 'object' && 'unknown' in value && typeof value.unknown === 'string') return `<${value.unknown}>`;
  if (typeof value === 'object' && 'grant' in value && typeof value.grant === 'string') return value.grant;
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** For a terminal: what stands out comes first, then all by area. */
export function diffText(before: Plan, after: Plan, differences: readonly PlanDifference[], style: Style, columns: number): string {
  if (differences.length === 0) return `Both plans say the same (${titleOf(after)}).\n`;
  const alarming = differences.filter(({ alarm }) => alarm !== null);
  const out = [style.strong(`${titleOf(before)} -> ${titleOf(after)}`), `${differences.length} ${differences.length === 1 ? 'difference' : 'differences'}${alarming.length === 0 ? '' : `, ${style.bad(`${alarming.length} to look at closely`)}`}`];
  let area = '';
  for (const difference of differences) {
    if (difference.area !== area) out.push('', style.strong(visible((area = difference.area))));
    const colour = { added: style.good, removed: style.bad, changed: style.warn, moved: style.accent }[difference.kind];
    out.push(`  ${colour(marks[difference.kind])} ${cut(visible(inWords(difference)), Math.max(60, columns - 4) * 3)}`);
    if (difference.alarm !== null) out.push(`    ${style.bad(`! ${difference.alarm}`)}`);
  }
  return `${out.join('\n')}\n`;
}

/** For a pull-request comment. */
export function diffMarkdown(before: Plan, after: Plan, differences: readonly PlanDifference[]): string {
  const cell = (text: string) => visible(text).replaceAll(/[\\`*_{}[\]<>|#~]/g, '\\$&');
  if (differences.length === 0) return `### Plan of ${cell(titleOf(after))}: no difference\n`;
  const rows = differences.map((difference) => `| ${cell(difference.area)} | ${cell(inWords(difference))} | ${difference.alarm === null ? '' : `:warning: **${cell(difference.alarm)}**`} |`);
  return [`### Plan: ${cell(titleOf(before))} → ${cell(titleOf(after))}`, '', '| where | what | look closely |', '|---|---|---|', ...rows, ''].join('\n');
}

function titleOf({ binding, digest }: Plan): string {
  return `${binding.runbook.name} ${binding.runbook.version} in ${binding.environment.name} (${digest.slice(0, 12)})`;
}
