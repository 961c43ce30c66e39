/** What a command writes to and where it stands: tests give their own, bin/muster.js the process's. */
export interface CommandIo {
  /** Results. */
  stdout(text: string): void;
  /** Progress and diagnostics. */
  stderr(text: string): void;
  /** Relative paths in arguments start here. */
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}
