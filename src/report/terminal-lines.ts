import { formatDuration } from '../engine/duration.js';
import type { RunModel, StepView } from './terminal-model.js';
import { cut, padEnd, padStart, width, type Style } from './style.js';
import { visible } from './visible.js';

/** The single lines of the live drawing. `columns` is the room beside the icon; times are right-aligned in it. */
export function stepLine(model: RunModel, id: string, nowMs: number, columns: number, style: Style): string {
  const view = model.steps.get(id);
  if (view === undefined) return id;
  const took = duration(view.startedMs, view.endedMs, nowMs);
  const label = view.state === 'skipped' && view.endedMs === null ? 'skipped' : view.state === 'timed-out' ? 'timed out' : view.state === 'cancelled' ? 'cancelled' : '';
  const line = row(id, visible(view.step.title ?? view.step.does), took, columns, model, style);
  if (view.note === null && view.state === 'running' && view.units.size > 0) return `${line}\n${style.dim(cut(visible(unitsLine(view.units)), columns))}`;
  if (view.note === null || view.state === 'skipped') return label === '' ? line : `${line} ${style.warn(label)}`;
  const colour = view.state === 'running' ? style.warn : style.bad;
  return `${line}\n${colour(cut(visible(label === '' ? view.note : `${label}: ${view.note}`), columns * 2))}`;
}

/** `3 done; at work: cluster, nodes`. */
function unitsLine(units: StepView['units']): string {
  const of = (state: string) => [...units].filter(([, each]) => each === state).map(([unit]) => unit);
  const parts = [`${of('succeeded').length} done`, ...(of('failed').length > 0 ? [`not clean: ${of('failed').join(', ')}`] : []), ...(of('running').length > 0 ? [`at work: ${of('running').join(', ')}`] : [])];
  return parts.join('; ');
}

export function connectionLine(model: RunModel, name: string, nowMs: number, columns: number, style: Style): string {
  const view = model.connections.get(name);
  return view === undefined ? name : row(name, view.provision, duration(view.startedMs, view.endedMs, nowMs), columns, model, style);
}

function row(id: string, text: string, took: string, columns: number, model: RunModel, style: Style): string {
  const names = Math.min(24, Math.max(...[...model.steps.keys(), ...model.connections.keys()].map((name) => name.length)));
  const left = padEnd(cut(id, names), names);
  const room = Math.max(10, columns - names - 2 - 9);
  return `${left}  ${style.dim(padEnd(cut(text, room), room))}${style.dim(padStart(took, 9))}`;
}

function duration(startedMs: number | null, endedMs: number | null, nowMs: number): string {
  return startedMs === null ? '' : formatDuration((endedMs ?? nowMs) - startedMs);
}

export function stableLine(model: RunModel, style: Style): string {
  const { stableForMs } = model.plan.binding.environment;
  return `Stay healthy ${style.dim(`for ${formatDuration(stableForMs)}`)}`;
}

export function cleanupLine(model: RunModel, style: Style): string {
  const { registered, done, failed } = model.cleanups;
  const text = `${done} of ${registered} registered cleanups`;
  return failed === 0 ? style.dim(text) : style.bad(`${text}, ${failed} failed`);
}

/** The recovery clock against its target, and what the probes see. */
export function recoveryLines(model: RunModel, nowMs: number, columns: number, style: Style): string[] {
  const objective = model.plan.binding.objectives.rtoMs;
  const clock = model.recovery(nowMs);
  const lines: string[] = [];
  if (clock === null) {
    lines.push(`${style.strong('Recovery clock')}  ${style.dim(`starts with the fault${objective === null ? '' : `; target ${formatDuration(objective)}`}`)}`);
  } else {
    const value = formatDuration(clock.elapsedMs);
    const late = objective !== null && clock.elapsedMs > objective;
    const shown = style.strong(late ? style.bad(value) : clock.running ? style.warn(value) : style.good(value));
    const head = `${style.strong('Recovery clock')}  ${padStart(shown, 8)}${objective === null ? '' : ` of ${formatDuration(objective)}`}  `;
    lines.push(head + (objective === null ? '' : bar(clock.elapsedMs / Math.max(1, objective), Math.max(10, Math.min(40, columns - width(head))), late, style)));
  }
  for (const probe of model.probes.values()) {
    if (probe.healthy === null || probe.sinceMs === null) continue;
    const since = formatDuration(Math.max(0, nowMs - probe.sinceMs));
    const what = probe.healthy ? style.good('healthy') : style.bad(`outage since ${since}`);
    const detail = probe.healthy ? `for ${since}` : `reads ${probe.reads ? 'answer' : 'fail'}, writes ${probe.writes ? 'answer' : 'fail'}`;
    lines.push(`${padEnd(cut(probe.id, 14), 14)}  ${what} ${style.dim(detail)}`);
  }
  for (const ledger of model.ledgers.values()) {
    if (ledger.acknowledged + ledger.refused === 0) continue;
    lines.push(`${padEnd(cut(ledger.id, 14), 14)}  ${style.dim(`${ledger.acknowledged} rows acknowledged${ledger.refused > 0 ? `, ${ledger.refused} not` : ''}`)}`);
  }
  return lines;
}

function bar(part: number, columns: number, late: boolean, style: Style): string {
  const filled = Math.min(columns, Math.round(part * columns));
  const colour = late ? style.bad : style.accent;
  return `${colour('━'.repeat(filled))}${style.dim('─'.repeat(columns - filled))}`;
}
