/** What the parts of the report's model share. */
export type Tone = 'good' | 'bad' | 'warn' | 'quiet';

export interface Fact {
  readonly label: string;
  readonly value: string;
  /** A digest, path or identifier, to be set in a fixed-width face. */
  readonly code?: boolean;
  /** Long words: a line of its own. */
  readonly wide?: boolean;
}

/** A file of the bundle, as its manifest names it. */
export interface ReportFile {
  /** Relative to the report itself: `evidence/backup.json`. */
  readonly path: string;
  readonly sha256: string;
}

/** A stretch of the run, in percent of its whole length. */
export interface Span {
  readonly left: number;
  readonly width: number;
}
