/** A drill as a trace: what the report makes of its events, and what an adapter sends. Times are ms since the epoch, UTC, with fractions. */
export interface Trace {
  /** 32 hex digits; the same for the same run, so that a trace that is sent again is no second one. */
  readonly id: string;
  /** A parent stands before its children. */
  readonly spans: readonly TraceSpan[];
}

export type TraceAttributes = Readonly<Record<string, string | number | boolean>>;

export interface TraceSpan {
  readonly name: string;
  /** Place of its parent in the list; null: the root. */
  readonly parent: number | null;
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: TraceAttributes;
  readonly events: readonly TraceEvent[];
  /** Null: it did what it should. */
  readonly error: string | null;
}

export interface TraceEvent {
  readonly name: string;
  readonly atMs: number;
  readonly attributes: TraceAttributes;
}
