export interface CommandOptions {
  readonly cwd?: string;
  /** Added to a minimal environment (PATH, HOME, LANG, TZ, MUSTER_RUN); nothing else is inherited. */
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
  /** Exit codes that are no failure; default [0]. */
  readonly okExitCodes?: readonly number[];
  readonly onLine?: (line: string, stream: 'stdout' | 'stderr') => void;
  /** Numeric ids to run as, when Muster runs as root. */
  readonly uid?: number;
  readonly gid?: number;
}

export interface CommandResult {
  readonly exitCode: number;
  /** At most the last 1 MiB each. */
  readonly stdout: string;
  readonly stderr: string;
  readonly durationMs: number;
}

/** A process as the kernel knows it: a pid alone may have been given to another since. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Field 22 of /proc/<pid>/stat (clock ticks since boot), or the lstart of ps elsewhere. */
  readonly startTime: string;
}

export interface ProcessPort {
  /**
   * Runs argv to its end, without a shell. Aborting ends its whole process group: SIGTERM, then SIGKILL.
   * Throws StepError `command-failed` on another exit code, `command-not-found`, `command-killed`.
   */
  run(argv: readonly [string, ...string[]], options: CommandOptions, signal: AbortSignal): Promise<CommandResult>;
  identity(pid: number): Promise<ProcessIdentity | undefined>;
  /** Ends the process (and its group) if it is still the same one: SIGTERM, then SIGKILL after `graceMs`. */
  end(identity: ProcessIdentity, graceMs?: number): Promise<void>;
  /** The absolute path of a program inside the boundary, or undefined. */
  which(name: string): Promise<string | undefined>;
}
