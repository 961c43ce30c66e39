import type { Drill } from '../engine/drill.js';
import { formatDuration } from '../engine/duration.js';
import type { DrillEvent } from '../engine/events.js';
import { hundredths } from './model-clock.js';
import type { Tone } from './model-types.js';
import { utc } from './visible.js';

/** This drill after those that came before it in the same environment. */
export interface TrendRow {
  readonly when: string;
  readonly run: string;
  /** The digest of its tag manifest; empty for this drill. */
  readonly sha256: string;
  readonly verdict: string;
  readonly tone: Tone;
  readonly rto: string;
  readonly rpo: string;
  readonly byHand: string;
  /** Percent of the longest RTO among them; null: it was not measured. */
  readonly bar: number | null;
}

const tones = { passed: 'good', failed: 'bad', incomplete: 'warn', cancelled: 'quiet' } as const satisfies Record<Drill['verdict'], Tone>;

/** Empty when there was no drill before. What is said of the earlier ones their bundles said when this one began. */
export function trendRows(drill: Drill, events: readonly DrillEvent[]): TrendRow[] {
  const earlier = events.find((event) => event.type === 'run.started')?.data.earlier ?? [];
  if (earlier.length === 0) return [];
  const own = { run: drill.run, sha256: '', at: drill.startedAt ?? '', verdict: drill.verdict, rtoMs: drill.rto.upperMs ?? drill.rto.valueMs, rpoMs: drill.rpo.valueMs, manualMs: drill.manual.waitingMs + drill.manual.workingMs };
  const all = [...earlier, own];
  const longest = Math.max(...all.map(({ rtoMs }) => rtoMs ?? 0));
  const figure = (ms: number | null) => (ms === null ? 'not measured' : formatDuration(ms));
  return all.map(({ run, sha256, at, verdict, rtoMs, rpoMs, manualMs }) => ({
    when: at === '' ? 'never started' : utc(at),
    run,
    sha256,
    verdict,
    tone: tones[verdict],
    rto: figure(rtoMs),
    rpo: figure(rpoMs),
    byHand: formatDuration(manualMs),
    bar: rtoMs === null || longest === 0 ? null : hundredths((rtoMs / longest) * 100),
  }));
}
