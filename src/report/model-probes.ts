import type { Drill } from '../engine/drill.js';
import type { DrillEvent, EventOf } from '../engine/events.js';
import { formatDuration } from '../engine/duration.js';
import type { RunClock } from './model-clock.js';
import { faultPlace, marks, span } from './model-gantt.js';
import type { Span, Tone } from './model-types.js';

/** What one probe saw, as stretches of one state. */
export interface ProbeLane {
  readonly probe: string;
  readonly what: string;
  readonly summary: string;
  readonly marks: readonly { readonly label: string; readonly at: number }[];
  readonly segments: readonly (Span & { readonly tone: Tone; readonly state: string })[];
  /** The same in words: the table beside the chart, at most `tableRows` of them. */
  readonly table: readonly { readonly from: string; readonly duration: string; readonly state: string }[];
  readonly more: number;
  readonly legend: readonly { readonly tone: Tone; readonly state: string }[];
}

interface Stretch {
  from: number;
  to: number;
  readonly state: string;
  readonly tone: Tone;
}

const tableRows = 100;
/** More stretches than the page has room for are drawn as this many columns, each in its worst state. */
const columns = 1000;
const rank = { quiet: 0, good: 1, warn: 2, bad: 3 } as const satisfies Record<Tone, number>;

export function probeLanes(drill: Drill, events: readonly DrillEvent[], clock: RunClock): ProbeLane[] {
  const fault = faultPlace(events, clock);
  const lanes: ProbeLane[] = [];
  for (const [probe, samples] of grouped(events, 'probe.sample', (event) => event.data.probe)) {
    const stretches = merge(availability(samples, clock));
    const down = stretches.filter((stretch) => stretch.tone === 'bad');
    const times = stretches.filter(({ tone }, index) => tone === 'bad' && stretches[index - 1]?.tone !== 'bad').length;
    const outage = down.reduce((sum, stretch) => sum + stretch.to - stretch.from, 0);
    const summary = `${samples.length} samples; ${down.length === 0 ? 'none failed' : `not healthy for ${formatDuration(outage)} in ${times} ${times === 1 ? 'stretch' : 'stretches'}`}`;
    lanes.push(lane(probe, `reads and writes at endpoint ${samples[0]?.data.endpoint ?? ''}`, summary, stretches, marks(drill, events, clock), clock));
  }
  for (const [key, rows] of grouped(events, 'ledger.row', (event) => `${event.data.probe} ${event.data.store}`)) {
    const first = rows[0];
    if (first === undefined) continue;
    const recovered = events.findLast((event) => event.type === 'ledger.recovered' && `${event.data.probe} ${event.data.store}` === key);
    const ranges = recovered?.type === 'ledger.recovered' ? recovered.data.ranges : null;
    const stretches = merge(ledger(rows, ranges, fault, clock));
    const acknowledged = rows.filter((row) => row.data.acked !== null).length;
    lanes.push(lane(first.data.probe, `rows written to ${first.data.store}`, `${rows.length} rows sent, ${acknowledged} acknowledged`, stretches, marks(drill, events, clock), clock));
  }
  return lanes;
}

function grouped<T extends 'probe.sample' | 'ledger.row'>(events: readonly DrillEvent[], type: T, key: (event: EventOf<T>) => string): Map<string, EventOf<T>[]> {
  const groups = new Map<string, EventOf<T>[]>();
  const isOfType = (event: DrillEvent): event is EventOf<T> => event.type === type;
  for (const event of events) {
    if (!isOfType(event)) continue;
    const group = groups.get(key(event));
    if (group === undefined) groups.set(key(event), [event]);
    else group.push(event);
  }
  return groups;
}

function* availability(samples: readonly EventOf<'probe.sample'>[], clock: RunClock): Generator<Stretch> {
  for (const [index, sample] of samples.entries()) {
    const next = samples[index + 1];
    const { read, write, done, sent } = sample.data;
    const state = read && write ? 'healthy' : read ? 'reads only' : write ? 'writes only' : 'down';
    yield { from: clock.place(sample, sent), to: clock.place(next ?? sample, next?.data.sent ?? done), state, tone: read && write ? 'good' : 'bad' };
  }
}

function* ledger(rows: readonly EventOf<'ledger.row'>[], ranges: readonly (readonly [number, number])[] | null, fault: number | null, clock: RunClock): Generator<Stretch> {
  let range = 0;
  for (const [index, row] of rows.entries()) {
    const next = rows[index + 1];
    const { n, acked, sent } = row.data;
    while (ranges !== null && (ranges[range]?.[1] ?? Infinity) < n) range += 1;
    const present = ranges !== null && n >= (ranges[range]?.[0] ?? Infinity);
    const before = fault === null || (acked !== null && clock.place(row, acked) <= fault);
    const [state, tone]: [string, Tone] =
      acked === null ? ['not acknowledged', 'quiet']
      : ranges === null ? ['acknowledged, not read back', 'quiet']
      : present ? ['acknowledged and recovered', 'good']
      : before ? ['acknowledged before the fault and LOST', 'bad']
      : ['acknowledged after the fault and discarded', 'warn'];
    yield { from: clock.place(row, sent), to: clock.place(next ?? row, next?.data.sent ?? acked ?? sent), state, tone };
  }
}

function merge(stretches: Iterable<Stretch>): Stretch[] {
  const merged: Stretch[] = [];
  for (const stretch of stretches) {
    const last = merged.at(-1);
    if (last !== undefined && last.state === stretch.state) last.to = Math.max(last.to, stretch.to);
    else merged.push({ ...stretch });
  }
  return merged;
}

function lane(probe: string, what: string, summary: string, stretches: readonly Stretch[], markers: ProbeLane['marks'], clock: RunClock): ProbeLane {
  const legend = new Map(stretches.map(({ state, tone }) => [state, { state, tone }]));
  return {
    probe,
    what,
    summary,
    marks: markers,
    segments: (stretches.length > columns ? condensed(stretches, clock.endMs) : stretches).map(({ from, to, state, tone }) => ({ ...span(clock, from, to), state, tone })),
    table: stretches.slice(0, tableRows).map(({ from, to, state }) => ({ from: formatDuration(from), duration: formatDuration(Math.max(0, to - from)), state })),
    more: Math.max(0, stretches.length - tableRows),
    legend: [...legend.values()],
  };
}

function condensed(stretches: readonly Stretch[], endMs: number): Stretch[] {
  const worst: (Stretch | undefined)[] = Array.from({ length: columns });
  const width = endMs / columns;
  for (const stretch of stretches) {
    const end = Math.min(columns - 1, Math.floor(stretch.to / width));
    for (let column = Math.min(columns - 1, Math.floor(stretch.from / width)); column <= end; column += 1) {
      const there = worst[column];
      if (there === undefined || rank[there.tone] < rank[stretch.tone]) worst[column] = { ...stretch, from: column * width, to: (column + 1) * width };
    }
  }
  return merge(worst.filter((stretch) => stretch !== undefined));
}
