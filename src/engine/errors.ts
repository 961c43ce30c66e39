/** Where a document says something. Lines and columns are 1-based. */
export interface SourcePosition {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** One thing wrong with a document, in the terms of its author. */
export interface Diagnostic {
  readonly position: SourcePosition;
  readonly message: string;
  readonly expected?: string;
  readonly found?: string;
  /** A nearest name, a quoting hint, what to do next. */
  readonly hint?: string;
  /** The line holds a secret: it must not be shown. */
  readonly secret?: boolean;
}

/** The document or the command line is unusable; nothing was touched. Exit code 2. */
export class DocumentError extends Error {
  override readonly name = 'DocumentError';
  constructor(readonly diagnostics: readonly Diagnostic[]) {
    super(diagnostics.map((d) => `${d.position.file}:${d.position.line}:${d.position.column}: ${d.message}`).join('\n'));
  }
}

/** A wrong option or argument. Exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Refused before the first inject: boundary, preflight, approval, lock, plan mismatch. Exit code 3. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
  constructor(message: string, readonly details: readonly string[] = [], options?: ErrorOptions) {
    super(message, options);
  }
}

/** The guard refused a call before it was sent. */
export class GuardError extends RefusedError {}

export interface StepErrorOptions extends ErrorOptions {
  /** May the engine try the step again? Default false. */
  readonly retryable?: boolean;
  /** What the operator can do about it. */
  readonly hint?: string;
}

/** A step could not do what it promises. `code` is stable and kebab-case. */
export class StepError extends Error {
  override readonly name = 'StepError';
  readonly retryable: boolean;
  readonly hint: string | undefined;
  constructor(readonly code: string, message: string, options: StepErrorOptions = {}) {
    super(message, options);
    this.retryable = options.retryable ?? false;
    this.hint = options.hint;
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
