import type { Redactor } from '../engine/redact.js';

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

/** The same, with what `redactor` knows by then taken out of everything that is written. */
export function withoutSecrets(io: CommandIo, redactor: Redactor): CommandIo {
  return { ...io, stdout: (text) => io.stdout(redactor.text(text)), stderr: (text) => io.stderr(redactor.text(text)) };
}
