import type { Effect } from '../../engine/define-step.js';

/** What a process is asked to end with, before it is killed. Terraform takes both as a request to finish what it has begun. */
export type EndSignal = 'SIGTERM' | 'SIGINT';

export interface CommandOptions {
  /** What the command does to what it reaches; default `modify`. The guard and the fault stamp go by it. */
  readonly effect?: Effect;
  /** Default: `/`, so that nothing depends on where the operator stands. */
  readonly cwd?: string;
  /** Added to a minimal environment (PATH, HOME, LANG, TZ, MUSTER_RUN); nothing else is inherited. */
  readonly env?: Readonly<Record<string, string>>;
  /** Names of variables of Muster's own environment that the command gets as well; their values show nowhere. */
  readonly secretEnv?: readonly string[];
  readonly input?: string;
  /** Exit codes that are no failure; default [0]. */
  readonly okExitCodes?: readonly number[];
  /** Called once the process runs; `run` resolves no earlier than what it returns. */
  readonly onStart?: (identity: ProcessIdentity) => Promise<void>;
  /** Goes into the environment as MUSTER_MARK, by which `endMarked` finds the process after a crash. */
  readonly mark?: string;
  readonly onLine?: (line: string, stream: 'stdout' | 'stderr') => void;
  /** The first signal where it must end; default SIGTERM. */
  readonly endWith?: EndSignal;
  /** Between the first signal and SIGKILL when it must end, in ms; default 5000. */
  readonly graceMs?: number;
  /**
   * Stdout and stderr go to new files of this name with `.stdout` and `.stderr`. A command that writes to a pipe ends at its next
   * line when Muster dies; this one finishes what it has begun.
   */
  readonly outlives?: string;
  /** How many of the last characters of stdout and of stderr are kept; default 1 MiB. */
  readonly outputLimit?: number;
  /** Numeric ids to run as, when Muster runs as root. */
  readonly uid?: number;
  readonly gid?: number;
}

export interface CommandResult {
  readonly exitCode: number;
  /** At most the last `outputLimit` characters each. */
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
   * Runs argv to its end, without a shell, in a process group of its own. Aborting ends the whole group: `endWith`,
   * then SIGKILL. So does a failure, and the end of a command without `mark`; what one with a `mark` left running
   * (a service that it has started) stays, and whoever gave the mark ends it with `endMarked`.
   * Throws StepError `command-failed` on another exit code, `command-not-found`, `command-killed`, `no-such-secret`, and
   * `secret-on-command-line` when an argument holds a secret that is known: arguments show in the list of processes.
   */
  run(argv: readonly [string, ...string[]], options: CommandOptions, signal: AbortSignal): Promise<CommandResult>;
  identity(pid: number): Promise<ProcessIdentity | undefined>;
  /** Ends the process (and its group) if it is still the same one: SIGTERM, then SIGKILL after `graceMs`. */
  end(identity: ProcessIdentity, graceMs?: number): Promise<void>;
  /** Ends every process that carries this run's MUSTER_RUN and MUSTER_MARK=`mark` in its environment, as `end` does; first with `signal`, default SIGTERM. */
  endMarked(mark: string, graceMs?: number, signal?: EndSignal): Promise<void>;
  /** The absolute path of a program inside the boundary, or undefined. */
  which(name: string): Promise<string | undefined>;
}
