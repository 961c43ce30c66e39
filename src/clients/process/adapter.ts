import { setTimeout as pause } from 'node:timers/promises';
import { GuardError, messageOf, StepError } from '../../engine/errors.js';
import { Redactor } from '../../engine/redact.js';
import type { Scope } from '../../engine/scope.js';
import { endGroup, endProcess, endProcessesWith } from './end.js';
import { identityOf } from './identity.js';
import { Output } from './output.js';
import type { CommandOptions, CommandResult, ProcessPort } from './port.js';
import { Tail } from './tail.js';
import { findProgram } from './which.js';

const defaultOutputLimit = 1 << 20;
/** How long a process outside the group that still holds our pipes may keep us after the command's exit, in ms. */
const drainMs = 250;
/** Where commands run that do not care: not where the operator happens to stand. */
const neutralCwd = '/';
const inherited = ['PATH', 'HOME', 'LANG', 'TZ'] as const;

/** PGAPPNAME lets a change watcher tell what our children do from what others do; a command may choose another name. */
function environment(options: CommandOptions, scope: Scope, more: Readonly<Record<string, string>>): Record<string, string> {
  const env: Record<string, string> = {};
  for (const name of inherited) {
    const value = process.env[name];
    if (value !== undefined) env[name] = value;
  }
  Object.assign(env, { PGAPPNAME: `muster/${scope.runId}/${scope.who}`.slice(0, 63) }, more, options.env, { MUSTER_RUN: scope.runId, MUSTER_STEP: scope.who });
  if (options.mark !== undefined) env['MUSTER_MARK'] = options.mark;
  return env;
}

export interface ProcessParts {
  /** Gets every secret before a command does, and knows what may stand on no command line. */
  readonly secrets: Pick<Redactor, 'add' | 'holdsSecret'>;
  /** What children get beside the minimal environment. */
  readonly env: () => Readonly<Record<string, string>>;
}

/** Commands on this machine, run on behalf of `scope`. */
export function processPort(scope: Scope, { secrets = new Redactor(), env = () => ({}) }: Partial<ProcessParts> = {}): ProcessPort {
  return {
    run: (argv, options, signal) => runCommand(scope, { secrets, env }, argv, options, signal),
    identity: identityOf,
    end: endProcess,
    endMarked: (mark, graceMs, signal) => endProcessesWith([`MUSTER_RUN=${scope.runId}`, `MUSTER_MARK=${mark}`], graceMs, signal),
    async which(name) {
      const file = await findProgram(name, '/');
      if (file === undefined) return undefined;
      try {
        await scope.access({ kind: 'command', file, args: [] }, 'read');
        return file;
      } catch (error) {
        if (error instanceof GuardError) return undefined;
        throw error;
      }
    },
  };
}

/** Variables of Muster's own environment. Throws StepError `no-such-secret`. */
function secretValues(names: readonly string[], secrets: ProcessParts['secrets']): Record<string, string> {
  const values: Record<string, string> = {};
  for (const name of names) {
    const value = process.env[name];
    if (value === undefined || value === '') throw new StepError('no-such-secret', `the environment that Muster runs in has no variable ${name}`, { hint: `Set it where Muster is started: ${name}=... muster run` });
    secrets.add(value);
    values[name] = value;
  }
  return values;
}

async function runCommand(scope: Scope, parts: ProcessParts, argv: readonly [string, ...string[]], options: CommandOptions, signal: AbortSignal): Promise<CommandResult> {
  const [name, ...args] = argv;
  const cwd = options.cwd ?? neutralCwd;
  const file = await findProgram(name, cwd);
  if (file === undefined) throw new StepError('command-not-found', `there is no program ${JSON.stringify(name)}`, { hint: name.includes('/') ? 'Is the file there, and executable?' : 'Install it, or give its absolute path.' });
  const env = { ...options.env, ...secretValues(options.secretEnv ?? [], parts.secrets) };
  if (parts.secrets.holdsSecret(argv)) throw new StepError('secret-on-command-line', `the arguments of ${parts.secrets.holdsSecret(name) ? 'a command' : name} hold a secret, which every user of this machine could read while it runs`, { hint: 'Pass it in the environment: secretEnv, or env with an x-sensitive input.' });
  const { execa } = await import('execa');
  await scope.access({ kind: 'command', file, args, ...(options.cwd === undefined ? {} : { cwd }), env }, options.effect ?? 'modify');
  signal.throwIfAborted();

  const outputLimit = options.outputLimit ?? defaultOutputLimit;
  const stdout = new Output(outputLimit, options.onLine && ((line) => options.onLine?.(line, 'stdout')));
  const stderr = new Output(outputLimit, options.onLine && ((line) => options.onLine?.(line, 'stderr')));
  const files = options.outlives === undefined ? undefined : { stdout: await Tail.create(`${options.outlives}.stdout`, stdout), stderr: await Tail.create(`${options.outlives}.stderr`, stderr) };
  const tails = Object.values(files ?? {});
  const started = performance.now();
  const child = execa(file, args, {
    argv0: name,
    cwd,
    env: environment({ ...options, env }, scope, parts.env()),
    extendEnv: false,
    detached: true,
    buffer: false,
    reject: false,
    ...(files === undefined ? {} : { stdout: files.stdout.stream, stderr: files.stderr.stream }),
    ...(options.input === undefined ? { stdin: 'ignore' as const } : { input: options.input }),
    ...(options.uid === undefined ? {} : { uid: options.uid }),
    ...(options.gid === undefined ? {} : { gid: options.gid }),
  });
  child.stdout?.on('data', (chunk: Buffer) => stdout.add(chunk));
  child.stderr?.on('data', (chunk: Buffer) => stderr.add(chunk));
  const exited = new Promise<{ code: number | null; killedBy: NodeJS.Signals | null }>((resolve) => child.once('exit', (code, killedBy) => resolve({ code, killedBy })));
  const { pid } = child;
  if (pid === undefined) {
    const { message } = await child;
    await endAll(tails);
    throw new StepError('command-not-started', `${name} could not be started: ${message ?? 'no reason given'}`);
  }
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));

  const abort = (): void => void endGroup(pid, options.graceMs, options.endWith).catch((error: unknown) => options.onLine?.(messageOf(error), 'stderr'));
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  try {
    const identity = await identityOf(pid);
    const [end] = await Promise.all([exited, identity === undefined ? undefined : options.onStart?.(identity)]);
    const durationMs = performance.now() - started;
    if (options.mark === undefined) await endGroup(pid, options.graceMs, options.endWith);
    await Promise.race([closed, pause(drainMs, undefined, { ref: false })]);
    child.stdout?.destroy();
    child.stderr?.destroy();
    await endAll(tails);
    const result = { stdout: stdout.end(), stderr: stderr.end(), durationMs };
    signal.throwIfAborted();
    if (end.code === null) throw new StepError('command-killed', `${name} was ended by ${end.killedBy ?? 'a signal'} after ${Math.round(durationMs)} ms${lastLines(result.stderr)}`);
    if (!(options.okExitCodes ?? [0]).includes(end.code)) {
      throw new StepError('command-failed', `${name} exited with ${end.code}${lastLines(result.stderr || result.stdout)}`);
    }
    return { exitCode: end.code, ...result };
  } catch (error) {
    await endGroup(pid, options.graceMs, options.endWith);
    throw error;
  } finally {
    signal.removeEventListener('abort', abort);
    await endAll(tails);
  }
}

async function endAll(tails: readonly Tail[]): Promise<void> {
  await Promise.all(tails.map((tail) => tail.end()));
}

/** The end of what a command said, for its error message. */
function lastLines(text: string): string {
  const lines = text.trimEnd().split('\n').slice(-5).join('\n').slice(-1_000);
  return lines === '' ? '' : `:\n${lines}`;
}
