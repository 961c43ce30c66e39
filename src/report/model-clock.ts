import type { DrillEvent } from '../engine/events.js';
import { sha256 } from '../engine/canonical.js';

/** Places what events say on one axis: milliseconds since the run started. */
export interface RunClock {
  /** The last event's place. */
  readonly endMs: number;
  /** The place of an instant that `event` carries; monotonic within the first boot, UTC after a reboot. */
  readonly place: (event: DrillEvent, instant?: { readonly at: string; readonly mono: string }) => number;
  /** Percent of the run, 0 to 100, with two decimals. */
  readonly percent: (ms: number) => number;
  readonly digest: (text: string) => string;
}

export function timeline(events: readonly DrillEvent[]): RunClock {
  const first = events[0];
  const originMono = BigInt(first?.mono ?? '0');
  const originUtc = Date.parse(first?.at ?? '1970-01-01T00:00:00Z');
  const place: RunClock['place'] = (event, instant = event) => {
    const ms = event.boot === first?.boot ? Number(BigInt(instant.mono) - originMono) / 1e6 : Date.parse(instant.at) - originUtc;
    return Number.isFinite(ms) ? Math.max(0, ms) : 0;
  };
  const last = events.at(-1);
  const endMs = last === undefined ? 0 : place(last);
  return { endMs, place, percent: (ms) => hundredths(endMs === 0 ? 0 : Math.min(100, (ms / endMs) * 100)), digest: sha256 };
}

export function hundredths(value: number): number {
  return Math.round(value * 100) / 100;
}
