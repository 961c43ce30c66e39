import { phases } from '../engine/define-step.js';
import type { Drill } from '../engine/drill.js';
import type { DrillEvent } from '../engine/events.js';
import { isParallel, type Runbook } from '../engine/documents.js';
import { formatDuration } from '../engine/duration.js';
import type { Plan } from '../engine/plan-document.js';
import type { Span, Tone } from './model-types.js';
import { unitsByStep, type UnitRow } from './model-units.js';
import type { RunClock } from './model-clock.js';

export interface GanttRow {
  readonly id: string;
  /** A part of the step above it. */
  readonly isUnit: boolean;
  readonly title: string | null;
  readonly uses: string;
  readonly branch: string | null;
  readonly status: string;
  readonly tone: Tone;
  readonly bar: Span | null;
  /** Times in which people were waited for. */
  readonly waiting: readonly Span[];
  readonly start: string;
  readonly duration: string;
  /** Attempts, waiting, the error: what the row says below its name. */
  readonly notes: readonly string[];
}

export interface Gantt {
  readonly end: string;
  readonly half: string;
  readonly marks: readonly { readonly label: string; readonly at: number }[];
  readonly groups: readonly {
    readonly phase: string;
    /** What the chart shows: all of a short phase; of a long one what went wrong or took longest, in order. */
    readonly rows: readonly GanttRow[];
    /** The others, for a table: they succeeded. */
    readonly others: readonly GanttRow[];
  }[];
}

/** A phase of more steps than this is not drawn step by step. */
const longPhase = 80;
const longest = 25;

const statuses = {
  succeeded: { words: 'succeeded', tone: 'good' },
  failed: { words: 'failed', tone: 'bad' },
  'timed-out': { words: 'timed out', tone: 'bad' },
  cancelled: { words: 'cancelled', tone: 'quiet' },
  skipped: { words: 'skipped', tone: 'warn' },
  'not-executed': { words: 'not executed', tone: 'quiet' },
  interrupted: { words: 'interrupted', tone: 'warn' },
} as const satisfies Record<Drill['steps'][number]['status'], { words: string; tone: Tone }>;

/** Every step of the plan by phase, also those that did not run. */
export function ganttOf(drill: Drill, runbook: Runbook, events: readonly DrillEvent[], clock: RunClock, plan: Plan): Gantt {
  const titles = stepTitles(runbook);
  const waiting = waitingSpans(events, clock);
  const units = unitsByStep(drill, plan);
  const rows = new Map<string, GanttRow[]>();
  for (const step of drill.steps) {
    const status = statuses[step.status];
    const notes: string[] = [];
    if (step.attempts > 1) notes.push(`${step.attempts} attempts`);
    if (step.waitingMs > 0) notes.push(`${formatDuration(step.waitingMs)} waiting for people`);
    if (step.workingMs > 0) notes.push(`${formatDuration(step.workingMs)} of work by people`);
    if (step.error !== null) notes.push(step.error);
    const row = {
      id: step.id,
      isUnit: false,
      title: titles.get(step.id) ?? null,
      uses: step.uses,
      branch: step.branch,
      status: status.words,
      tone: status.tone,
      bar: step.startMs === null ? null : span(clock, step.startMs, step.startMs + (step.durationMs ?? Math.max(0, clock.endMs - step.startMs))),
      waiting: waiting.get(step.id) ?? [],
      start: step.startMs === null ? '' : formatDuration(step.startMs),
      duration: step.durationMs === null ? '' : formatDuration(step.durationMs),
      notes,
    } satisfies GanttRow;
    const group = rows.get(step.phase);
    const all = [row, ...(units.get(step.id) ?? []).map((unit) => unitRow(unit, clock))];
    if (group === undefined) rows.set(step.phase, all);
    else group.push(...all);
  }
  return {
    end: formatDuration(clock.endMs),
    half: formatDuration(clock.endMs / 2),
    marks: marks(drill, events, clock),
    groups: [...phases, 'cleanup'].flatMap((phase) => {
      const group = rows.get(phase);
      return group === undefined ? [] : [{ phase, ...shortened(group, drill) }];
    }),
  };
}

function shortened(rows: readonly GanttRow[], drill: Drill): Pick<Gantt['groups'][number], 'rows' | 'others'> {
  if (rows.length <= longPhase) return { rows, others: [] };
  const took = new Map(drill.steps.map((step) => [step.id, step.durationMs ?? 0]));
  const slow = new Set(rows.toSorted((a, b) => (took.get(b.id) ?? 0) - (took.get(a.id) ?? 0)).slice(0, longest));
  const drawn = (row: GanttRow) => slow.has(row) || row.tone === 'bad' || row.notes.length > 0 || row.waiting.length > 0;
  const shown = rows.filter(drawn);
  // Of a phase in which nearly all went wrong, the rest is listed like the others.
  const room = new Set(shown.slice(0, longPhase * 5));
  return { rows: rows.filter((row) => room.has(row)), others: rows.filter((row) => !room.has(row)) };
}

function unitRow({ unit, result, reason, after, critical, startMs, durationMs }: UnitRow, clock: RunClock): GanttRow {
  return {
    id: unit,
    isUnit: true,
    title: after.length === 0 ? null : `after ${after.join(', ')}`,
    uses: 'unit',
    branch: null,
    status: reason === null ? result : `${result}: ${reason}`,
    tone: result === 'failed' ? 'bad' : result !== 'succeeded' ? 'quiet' : reason === null ? 'good' : 'warn',
    bar: startMs === null || durationMs === null ? null : span(clock, startMs, startMs + durationMs),
    waiting: [],
    start: startMs === null ? '' : formatDuration(Math.max(0, startMs)),
    duration: durationMs === null ? '' : formatDuration(durationMs),
    notes: critical ? ['on the critical path'] : [],
  };
}

/** Where the fault was sent and where service was back for good; null without a fault. */
export function faultPlace(events: readonly DrillEvent[], clock: RunClock): number | null {
  const fault = events.find((event) => event.type === 'fault.sent');
  return fault === undefined ? null : clock.place(fault, fault.data.instant);
}

export function marks(drill: Drill, events: readonly DrillEvent[], clock: RunClock): { label: string; at: number }[] {
  const fault = faultPlace(events, clock);
  if (fault === null) return [];
  const found = [{ label: 'fault', at: clock.percent(fault) }];
  if (drill.rto.restoredMs !== null) found.push({ label: 'restored', at: clock.percent(fault + drill.rto.restoredMs) });
  return found;
}

export function span(clock: RunClock, from: number, to: number): Span {
  const left = clock.percent(from);
  return { left, width: Math.max(0, Math.round((clock.percent(to) - left) * 100) / 100) };
}

function stepTitles(runbook: Runbook): Map<string, string> {
  const titles = new Map<string, string>();
  for (const node of runbook.steps) {
    for (const step of isParallel(node) ? Object.values(node.parallel).flat() : [node]) if (step.title !== undefined) titles.set(step.id, step.title);
  }
  for (const step of runbook.cleanup ?? []) if (step.title !== undefined) titles.set(step.id, step.title);
  return titles;
}

function waitingSpans(events: readonly DrillEvent[], clock: RunClock): Map<string, Span[]> {
  const asked = new Map<string, number>();
  const spans = new Map<string, Span[]>();
  for (const event of events) {
    if (event.step === undefined) continue;
    if (event.type === 'human.asked') asked.set(event.step, clock.place(event, event.data.instant));
    if (event.type !== 'human.began' && event.type !== 'human.done') continue;
    const from = asked.get(event.step);
    if (from === undefined) continue;
    asked.delete(event.step);
    spans.set(event.step, [...(spans.get(event.step) ?? []), span(clock, from, clock.place(event, event.data.instant))]);
  }
  return spans;
}
