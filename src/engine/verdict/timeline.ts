import type { DrillEvent } from '../events.js';
import type { Instant } from '../define-step.js';
import { MS, later, monoOf, toMs, utcOf } from './time.js';

/** A point of the run. `position` counts ns from run.started on the run's own axis. There are as many as samples: all else is read again when asked for. */
export class Moment {
  constructor(readonly position: bigint, readonly segment: number, private readonly instant: Instant) {}

  get at(): string {
    return this.instant.at;
  }

  get utc(): bigint {
    return utcOf(this.instant) ?? 0n;
  }
}

export interface Measured {
  /** On the run's axis: monotonic within a segment, UTC between segments. */
  readonly value: bigint;
  /** The larger of `value` and UTC where they disagree by more than the tolerance. */
  readonly upper: bigint;
}

export interface ClockNote {
  readonly span: string;
  readonly monotonicMs: number;
  readonly utcMs: number;
  readonly countedMs: number;
}

interface Segment {
  readonly boot: string;
  readonly mono: bigint;
  readonly offset: bigint;
  /** Where UTC went backwards between two segments: nothing can be measured across. */
  readonly torn: boolean;
}

/**
 * One axis for a run of one or more segments (run.started .. run.resumed .. ). Within a segment, `mono` counts;
 * from the last line of a segment to the first of the next, UTC does, or `mono` where the boot is the same and it says more.
 */
export class Timeline {
  readonly notes: ClockNote[] = [];
  readonly segmentOf: readonly number[];
  readonly #segments: Segment[] = [];

  constructor(events: readonly DrillEvent[]) {
    const segmentOf: number[] = [];
    let end: { boot: string; mono: bigint; utc: bigint; position: bigint } | undefined;
    for (const [index, event] of events.entries()) {
      const starts = index === 0 || event.type === 'run.resumed';
      const mono = monoOf(event);
      const utc = utcOf(event);
      if (starts) {
        let gap = 0n;
        let torn = mono === null || utc === null;
        if (end && mono !== null && utc !== null) {
          gap = utc - end.utc;
          if (end.boot === event.boot) gap = later(gap, mono - end.mono);
          torn = gap < 0n;
          if (torn) gap = 0n;
        } else if (index > 0) torn = true;
        this.#segments.push({ boot: event.boot, mono: mono ?? 0n, offset: (end?.position ?? 0n) + gap, torn });
        end = mono === null || utc === null ? end : { boot: event.boot, mono, utc, position: (end?.position ?? 0n) + gap };
      }
      segmentOf.push(this.#segments.length - 1);
      const segment = this.#segments[this.#segments.length - 1];
      if (!segment || mono === null || utc === null || event.boot !== segment.boot) continue;
      const position = segment.offset + mono - segment.mono;
      if (!end || position >= end.position) end = { boot: event.boot, mono, utc, position };
    }
    this.segmentOf = segmentOf;
  }

  /** Null where the instant is unreadable or its event does not belong to the segment's boot. */
  place(instant: Instant, event: { readonly boot: string }, segmentIndex: number): Moment | null {
    const segment = this.#segments[segmentIndex];
    const mono = monoOf(instant);
    if (!segment || mono === null || utcOf(instant) === null || event.boot !== segment.boot) return null;
    return new Moment(segment.offset + mono - segment.mono, segmentIndex, instant);
  }

  /** Null where nothing can be measured between the two; negative when `to` is earlier. */
  between(from: Moment, to: Moment): Measured | null {
    const [low, high] = from.segment <= to.segment ? [from.segment, to.segment] : [to.segment, from.segment];
    for (let index = low + 1; index <= high; index += 1) if (this.#segments[index]?.torn) return null;
    const value = to.position - from.position;
    const utc = to.utc - from.utc;
    const size = value < 0n ? -value : value;
    const tolerance = later(500n * MS, size / 1000n);
    const apart = utc > value ? utc - value : value - utc;
    return { value, upper: apart > tolerance ? later(value, utc) : value };
  }

  /** Like `between`, for a figure of the result: a disagreement of the clocks is listed. */
  measure(span: string, from: Moment, to: Moment): Measured | null {
    const measured = this.between(from, to);
    if (!measured) return null;
    const utc = to.utc - from.utc;
    const apart = utc > measured.value ? utc - measured.value : measured.value - utc;
    if (apart > later(500n * MS, (measured.value < 0n ? -measured.value : measured.value) / 1000n)) {
      this.notes.push({ span, monotonicMs: toMs(measured.value), utcMs: toMs(utc), countedMs: toMs(measured.upper) });
    }
    return measured;
  }
}
