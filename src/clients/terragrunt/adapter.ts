import { readFile, rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { atOnce } from '../../engine/at-once.js';
import { StepError } from '../../engine/errors.js';
import type { Effect } from '../../engine/define-step.js';
import type { Scope } from '../../engine/scope.js';
import type { World } from '../../engine/world.js';
import type { ProcessPort } from '../process/port.js';
import { runTool, type ToolResult } from '../terraform/command.js';
import { failure } from '../terraform/errors.js';
import { announcedLocks, isUnlocked, ownLock } from '../terraform/locks.js';
import { stateFacts, type StateFacts } from '../terraform/state.js';
import { versionOf } from '../terraform/adapter.js';
import { backendsIn } from './backends.js';
import { codeOf } from './code.js';
import { stackOf, type TerragruntDetails } from './details.js';
import { draftFolder, keepPlan, planFolder, savedPlan } from './plans.js';
import type { StackHow, TerragruntPort, UnitRun } from './port.js';
import { readReport, readUnits, unitOfLine } from './report.js';
import { readTerragruntVersion, unitArguments } from './versions.js';

type Working = TerragruntDetails & { readonly work: string };
type Env = Readonly<Record<string, string>>;

/** A command for some units, or all. */
interface Queue {
  readonly report: string;
  readonly flags?: readonly string[];
  readonly units: readonly string[] | undefined;
  readonly command: readonly string[];
  readonly effect: Effect;
  readonly env: Env;
  readonly how: StackHow;
}

interface Ran {
  readonly exitCode: number;
  readonly runs: UnitRun[];
  readonly stderr: string;
}

/** What the ports of all scopes of one process share: commands that are being ended, by their mark. */
export interface TerragruntShared {
  readonly running: Map<string, Set<Promise<unknown>>>;
}

export function terragruntShared(): TerragruntShared {
  return { running: new Map() };
}

export function terragruntPort(scope: Scope, world: World, shared: TerragruntShared, process: ProcessPort): TerragruntPort {
  const detailsOf = (connection: string) => stackOf(world, connection);
  const workOf = (connection: string): Working => {
    const { work, ...details } = detailsOf(connection);
    if (work === undefined) throw new StepError('no-such-connection', `connection ${connection} is not there yet`);
    return { ...details, work };
  };

  const run = async (connection: string, args: readonly string[], { effect, env, cwd, okExitCodes, how }: { effect: Effect; env: Env; cwd?: string; okExitCodes?: readonly number[]; how?: StackHow }, signal: AbortSignal): Promise<ToolResult> => {
    const details = detailsOf(connection);
    await scope.access({ kind: 'infrastructure', connection }, effect);
    const log = how === undefined || details.work === undefined ? {} : { TF_LOG_CORE: 'info', TF_LOG_PATH: logFile(details.work, how.mark) };
    return runTool(
      process,
      {
        program: details.command,
        args,
        cwd: join(details.directory, cwd ?? '.'),
        effect,
        env: { ...details.env, ...env, ...log },
        secretEnv: details.secretEnv,
        ...(okExitCodes === undefined ? {} : { okExitCodes }),
        ...(how === undefined ? {} : { mark: how.mark, onLine: (line) => how.onLine?.(line) }),
      },
      signal,
    );
  };

  /** `run --all`: resolves to the report, unless there is none. */
  const runOnce = async (connection: string, { report, flags, units, command, effect, env, how }: Queue, signal: AbortSignal): Promise<Ran> => {
    const details = workOf(connection);
    const seen = new Set<string>();
    const watching: StackHow = {
      ...how,
      onLine(line) {
        how.onLine?.(line);
        const unit = unitOfLine(line);
        if (unit === undefined || seen.has(unit)) return;
        seen.add(unit);
        how.onUnit?.(unit);
      },
    };
    await rm(report, { force: true });
    const args = ['run', '--all', ...common(details), '--report-file', report, '--report-format', 'json', '--parallelism', String(details.parallelism), ...(flags ?? []), ...unitArguments(details.terragrunt, units), '--', ...command];
    const { exitCode, stderr } = await run(connection, args, { effect, env, okExitCodes: [0, 1, 2], how: watching }, signal);
    const text = await readFile(report, 'utf8').catch(() => undefined);
    if (text === undefined) throw failure('terragrunt', exitCode, stderr);
    return { exitCode, runs: readReport(text), stderr };
  };

  /** The same; a unit that failed by a lock of its own is run once more, without that lock, and so is what waited for it. */
  const runTwice = async (connection: string, queue: Queue, signal: AbortSignal): Promise<Ran> => {
    const own = await ownLock(logFile(workOf(connection).work, queue.how.mark));
    const first = await runOnce(connection, queue, signal);
    // Production is only read: not even a lock is given back.
    if (world.connections.get(connection)?.role === 'production') return first;
    const failed = first.runs.filter(({ result }) => result === 'failed');
    const again: string[] = [];
    for (const { unit, cause } of failed) {
      const id = await own(causeOf(cause));
      if (id === undefined) continue;
      await isUnlocked(inUnit(connection, unit, ['force-unlock', '-force', id], 'modify', queue.env, signal));
      again.push(unit);
    }
    if (again.length === 0) return first;
    // What never began waits for whatever else failed, too, and the queue of some units does not know of the others.
    const waiting = failed.length > again.length ? [] : first.runs.filter(({ result }) => result === 'early exit').map(({ unit }) => unit);
    const second = await runOnce(connection, { ...queue, units: [...again, ...waiting] }, signal);
    return { ...second, runs: first.runs.map((run) => later(run, second.runs)) };
  };

  /** One command in the folder of one unit, in a working copy of its own: a watcher may look while a step plans. */
  const inUnit = (connection: string, unit: string, command: readonly string[], effect: Effect, env: Env, signal: AbortSignal): Promise<ToolResult> =>
    run(connection, ['run', ...common(workOf(connection), 'reading'), '--', ...command], { effect, env, cwd: unit }, signal);

  const runAll = (connection: string, queue: Queue, signal: AbortSignal): Promise<Ran> => noted(shared, queue.how.mark, runTwice(connection, queue, signal));

  /** Some at a time, results in the order of `units`. */
  const inEach = <T>(connection: string, units: readonly string[], work: (unit: string) => Promise<T>): Promise<T[]> => atOnce(units, workOf(connection).parallelism, work);

  return {
    directory: (connection) => detailsOf(connection).directory,
    mayDestroy: (connection) => detailsOf(connection).mayDestroy,
    async versions(connection) {
      const { command, terraform, directory } = detailsOf(connection);
      return { terragrunt: await terragruntVersion(process, command, directory, scope.signal), terraform: (await versionOf(process, terraform, directory, scope.signal)).version };
    },
    async units(connection, env, signal) {
      const { stdout } = await run(connection, ['find', '--json', '--dag', '--dependencies', '--no-color', '--non-interactive'], { effect: 'read', env }, signal);
      return readUnits(stdout);
    },
    code: (connection) => codeOf(detailsOf(connection).directory),
    async plan(connection, request, how, signal) {
      const { work, directory } = workOf(connection);
      const code = await codeOf(directory);
      const draft = await draftFolder(work, how.mark);
      try {
        const units = await this.units(connection, request.env, signal);
        const command = ['plan', '-detailed-exitcode', '-no-color', ...(request.destroy ? ['-destroy'] : []), ...request.targets.map((target) => `-target=${target}`)];
        const { runs, exitCode, stderr } = await runAll(connection, { report: draft.report, flags: ['--out-dir', draft.out, '--json-out-dir', draft.json], units: request.units, command, effect: 'read', env: request.env, how }, signal);
        refuseFailures('plan', runs, exitCode, stderr);
        // Nothing is applied to a state outside the boundary: where the code really leads shows in the working copies.
        for (const { bucket, key } of await backendsIn(join(work, 'cache'))) await scope.access({ kind: 'bucket', connection, bucket, key }, 'read');
        const planned = runs.filter(({ result, reason }) => result === 'succeeded' && reason !== 'error ignored').map(({ unit }) => unit);
        return { plan: await keepPlan(work, draft, request, planned, units, code), runs, units };
      } finally {
        await rm(draft.path, { recursive: true, force: true });
      }
    },
    async saved(connection, id) {
      const { work, directory } = workOf(connection);
      return savedPlan(work, id, await codeOf(directory));
    },
    async apply(connection, plan, units, effect, how, signal) {
      const { work } = workOf(connection);
      const folder = planFolder(work, plan.id);
      const report = join(work, `${how.mark}.apply.json`);
      const { runs, exitCode, stderr } = await runAll(connection, { report, flags: ['--out-dir', folder.out], units, command: ['apply', '-no-color'], effect, env: plan.env, how }, signal);
      // Without a report of a failure there is still the exit code.
      if (exitCode !== 0 && runs.every(({ result }) => result === 'succeeded')) throw failure('terragrunt', exitCode, stderr);
      return runs;
    },
    failureOf,
    states: (connection, units, env, signal) =>
      inEach(connection, units, async (unit) => ({ unit, state: stateIn(await inUnit(connection, unit, ['state', 'pull'], 'read', env, signal).catch(withoutBucket)) })),
    outputs: (connection, units, env, signal) =>
      inEach(connection, units, async (unit) => {
        const { stdout } = await inUnit(connection, unit, ['output', '-json', '-no-color'], 'read', env, signal);
        const outputs = JSON.parse(stdout) as Record<string, { readonly sensitive?: boolean; readonly value?: unknown }>;
        return { unit, outputs: Object.entries(outputs).map(([name, { sensitive = false, value }]) => ({ name, sensitive, ...(sensitive ? {} : { value }) })) };
      }),
    async destroyAll(connection, units, env, how, signal) {
      const { work } = workOf(connection);
      const { runs, exitCode, stderr } = await runAll(connection, { report: join(work, `${how.mark}.destroy.json`), units, command: ['destroy', '-no-color'], effect: 'destroy', env, how }, signal);
      refuseFailures('destroy', runs, exitCode, stderr);
      return runs;
    },
    async release(connection, mark, units, env, signal) {
      // Told once already: a second signal would have Terraform drop everything, with its lock.
      await Promise.allSettled(shared.running.get(mark) ?? new Set<Promise<unknown>>());
      await process.endMarked(mark, undefined, 'SIGINT');
      const { work } = workOf(connection);
      const log = logFile(work, mark);
      for (const id of await announcedLocks(log)) {
        for (const unit of units) if (await isUnlocked(inUnit(connection, unit, ['force-unlock', '-force', id], 'modify', env, signal))) break;
      }
      await rm(log, { force: true });
    },
  };
}

/** Where nothing was ever applied, the tool makes up a state without a lineage. */
function stateIn({ stdout }: Pick<ToolResult, 'stdout'>): StateFacts | null {
  const state = stdout.trim() === '' ? null : stateFacts(stdout);
  return state === null || state.lineage === '' ? null : state;
}

/** Before the bucket of the states is bootstrapped there is no state. */
function withoutBucket(error: unknown): Pick<ToolResult, 'stdout'> {
  if (error instanceof StepError && /S3 bucket "[^"]*" does not exist|NoSuchBucket/.test(error.message)) return { stdout: '' };
  throw error;
}

function noted<T>({ running }: TerragruntShared, mark: string, work: Promise<T>): Promise<T> {
  const own = running.get(mark) ?? new Set();
  running.set(mark, own.add(work));
  return work.finally(() => own.delete(work));
}

/** How a unit fared that was run again: what failed at first has begun then. */
function later(run: UnitRun, again: readonly UnitRun[]): UnitRun {
  const next = again.find(({ unit }) => unit === run.unit);
  if (next === undefined) return run;
  return run.result === 'failed' ? { ...next, started: run.started } : next;
}

/** Why a unit failed, in the words of Terraform (`state-locked` and the like). */
const causeOf = (cause: string | null): StepError => failure('terraform', 1, cause ?? '');

/** Why units failed, in the words of Terraform (`state-locked` and the like); what never began because of it. */
function failureOf(command: string, runs: readonly UnitRun[]): StepError | undefined {
  const of = (result: string) => runs.filter((run) => run.result === result);
  const [first, ...others] = of('failed');
  const skipped = of('early exit');
  if (first === undefined && skipped.length === 0) return undefined;
  const names = (units: readonly UnitRun[]) => units.map(({ unit }) => unit).join(', ');
  const rest = skipped.length === 0 ? [] : [`not begun (early exit): ${names(skipped)}`];
  if (first === undefined) return new StepError('unit-failed', rest.join('; '));
  const why = causeOf(first.cause);
  const words = [`${command} of unit ${first.unit}: ${why.message}`, ...(others.length === 0 ? [] : [`failed as well: ${names(others)}`]), ...rest];
  return new StepError(why.code === 'terraform-failed' ? 'unit-failed' : why.code, words.join('; '), why.hint === undefined ? {} : { hint: why.hint });
}

function refuseFailures(command: string, runs: readonly UnitRun[], exitCode: number, stderr: string): void {
  const found = failureOf(command, runs);
  if (found !== undefined) throw found;
  if (exitCode === 1) throw failure('terragrunt', exitCode, stderr);
}

export async function terragruntVersion(process: ProcessPort, command: string, cwd: string, signal: AbortSignal): Promise<string> {
  return readTerragruntVersion((await runTool(process, { program: command, args: ['--version'], cwd, effect: 'read' }, signal)).stdout);
}

/** As many side by side as the machine has cores for, twice: units wait more than they work. */
export const defaultParallelism = (): number => Math.max(2, 2 * availableParallelism());


const logFile = (work: string, mark: string): string => join(work, `${mark}.log`);

function common({ work, terraform }: Working, copies = 'cache'): string[] {
  return ['--non-interactive', '--no-color', '--download-dir', join(work, copies), '--tf-path', terraform];
}
