import type { Effect } from '../../engine/define-step.js';
import type { ProcessPort } from '../process/port.js';
import { failure } from './errors.js';
import { toolEnvironment } from './environment.js';
import { isDiagnostic, readMessage, type Diagnostic, type Progress } from './messages.js';

/** Between SIGINT and SIGKILL, in ms: Terraform finishes the calls that it has begun, writes the state and unlocks it. */
export const graceMs = 60_000;
/** A plan or a state as JSON, in characters. */
const outputLimit = 256 << 20;

export interface ToolCommand {
  /** Absolute path of terraform, tofu or terragrunt. */
  readonly program: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly effect: Effect;
  /** Beside what `toolEnvironment` gives. */
  readonly env?: Readonly<Record<string, string>>;
  readonly secretEnv?: readonly string[];
  readonly input?: string;
  /** Default [0]. */
  readonly okExitCodes?: readonly number[];
  /** By which what is left of it can be ended (`MUSTER_MARK`). */
  readonly mark?: string;
  /** It finishes what it has begun also where Muster dies (CommandOptions). */
  readonly outlives?: string;
  readonly onProgress?: (progress: Progress) => void;
  /** Every line of stdout and stderr as it comes, for what speaks another language than `terraform -json`. */
  readonly onLine?: (line: string, stream: 'stdout' | 'stderr') => void;
}

export interface ToolResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Errors and warnings that a `-json` stream held. */
  readonly diagnostics: readonly Diagnostic[];
  readonly durationMs: number;
}

/**
 * Runs a tool of the Terraform family: credentials and endpoints from the usual variables, no prompt, no colours asked of
 * it. The whole process tree is ended gently first (SIGINT, time to finish, SIGKILL). Throws the StepErrors of `failure`.
 */
export async function runTool(process: ProcessPort, command: ToolCommand, signal: AbortSignal): Promise<ToolResult> {
  const { env, secretEnv } = toolEnvironment();
  const diagnostics: Diagnostic[] = [];
  const { program, args, mark } = command;
  try {
    const { exitCode, stdout, stderr, durationMs } = await process.run(
      [program, ...args],
      {
        effect: command.effect,
        cwd: command.cwd,
        env: { ...env, ...command.env },
        secretEnv: [...new Set([...secretEnv, ...(command.secretEnv ?? [])])],
        ...(command.input === undefined ? {} : { input: command.input }),
        okExitCodes: everyExitCode,
        endWith: 'SIGINT',
        graceMs,
        outputLimit,
        ...(mark === undefined ? {} : { mark }),
        ...(command.outlives === undefined ? {} : { outlives: command.outlives }),
        onLine(line, stream) {
          command.onLine?.(line, stream);
          const message = stream === 'stdout' ? readMessage(line) : undefined;
          if (message === undefined) return;
          if (isDiagnostic(message)) diagnostics.push(message);
          else command.onProgress?.(message);
        },
      },
      signal,
    );
    if (!(command.okExitCodes ?? [0]).includes(exitCode)) throw failure(nameOf(program), exitCode, diagnostics.some(({ severity }) => severity === 'error') ? diagnostics : stderr);
    return { exitCode, stdout, stderr, diagnostics, durationMs };
  } finally {
    // What has left its process group, too: provisioners may start whatever they like.
    if (mark !== undefined) await process.endMarked(mark, graceMs, 'SIGINT');
  }
}

const everyExitCode = Array.from({ length: 256 }, (_, code) => code);

function nameOf(program: string): string {
  return program.slice(program.lastIndexOf('/') + 1);
}
