import { randomBytes } from 'node:crypto';
import { access, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { called } from '../engine/called.js';
import { messageOf, RefusedError, UsageError } from '../engine/errors.js';

/** What a run leaves in the state directory until it is cleaned up. */
export interface RunPaths {
  readonly id: string;
  readonly dir: string;
  readonly journal: string;
  readonly plan: string;
  readonly runbook: string;
  readonly environment: string;
  /** The approvals that the run relies on, as they go into sig/ of the bundle; absent without any. */
  readonly approvals: string;
  readonly logs: string;
  readonly work: string;
  /** What other processes tell the running one. */
  readonly spool: string;
  /** What a run that was started with --detach writes to its terminal. */
  readonly output: string;
  /** RunMeta: what another process needs to end the run. */
  readonly meta: string;
}

/** run.json of a run. */
export interface RunMeta {
  readonly id: string;
  readonly pid: number;
  /** Of that process, so that another one with its pid is not taken for it; null where the system does not say. */
  readonly startTime: string | null;
  readonly evidenceDir: string;
  readonly runbook: string;
  readonly environment: string;
  readonly keep: boolean;
  /** Names of the inputs that were given with --set. Values of sensitive ones stand nowhere. */
  readonly given: readonly string[];
}

type Env = Readonly<Record<string, string | undefined>>;

/** MUSTER_STATE_DIR, else `muster` in the XDG state directory. */
export function stateDir(env: Env, cwd: string): string {
  const own = env['MUSTER_STATE_DIR'] ?? '';
  if (own !== '') return resolve(cwd, own);
  const xdg = env['XDG_STATE_HOME'] ?? '';
  return join(isAbsolute(xdg) ? xdg : join(env['HOME'] ?? homedir(), '.local', 'state'), 'muster');
}

/** `<UTC yyyymmddThhmmssZ>-<runbook>-<6 hex>`. */
export function newRunId(runbook: string, now = new Date()): string {
  return `${now.toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z-${runbook}-${randomBytes(3).toString('hex')}`;
}

export const runIdPattern = /^\d{8}T\d{6}Z-[a-z][a-z0-9-]*-[0-9a-f]{6}$/;

export function runPaths(state: string, id: string): RunPaths {
  const dir = join(state, 'runs', id);
  return {
    id,
    dir,
    journal: join(dir, 'journal.jsonl'),
    plan: join(dir, 'plan.json'),
    runbook: join(dir, 'runbook.yaml'),
    environment: join(dir, 'environment.yaml'),
    approvals: join(dir, 'approvals'),
    logs: join(dir, 'logs'),
    work: join(dir, 'work'),
    spool: join(dir, 'spool'),
    output: join(dir, 'output.log'),
    meta: join(dir, 'run.json'),
  };
}

/** Ids of the runs in the state directory, oldest first. */
export async function listRuns(state: string): Promise<string[]> {
  try {
    return (await readdir(join(state, 'runs'))).filter((name) => runIdPattern.test(name)).sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw new UsageError(`cannot read the state directory ${state}: ${messageOf(error)}; MUSTER_STATE_DIR names another`, { cause: error });
  }
}

/** The run that `name` means: its id, or the end of it that fits only one run. Throws UsageError. */
export async function findRun(state: string, name: string): Promise<RunPaths> {
  const runs = await listRuns(state);
  const fitting = runs.includes(name) ? [name] : runs.filter((id) => id.endsWith(`-${name}`));
  const [only] = fitting;
  if (only !== undefined && fitting.length === 1) return runPaths(state, only);
  const known = runs.length === 0 ? `there are no runs in ${state}` : `runs in ${state}:\n${runs.map((id) => `  ${id}`).join('\n')}`;
  throw new UsageError(`${fitting.length === 0 ? 'no' : 'more than one'} run ${JSON.stringify(name)}; ${known}`);
}

/** The state of a run cannot be written to `path`; nothing was started. */
export function stateUnwritable(path: string, error: unknown): RefusedError {
  return new RefusedError(`cannot write the state of the run to ${path}`, [messageOf(error), 'Set MUSTER_STATE_DIR to a folder that may be written.'], { cause: error });
}

/** Whole or not at all: another process may read it at any time. */
export async function writeMeta(paths: RunPaths, meta: RunMeta): Promise<void> {
  const draft = `${paths.meta}.${process.pid}`;
  await writeFile(draft, `${JSON.stringify(meta)}\n`, { mode: 0o600 });
  await rename(draft, paths.meta);
}

/** Throws RefusedError when there is none, or none that can be read: then nobody can tell whose process the run is. */
export async function readMeta(paths: RunPaths): Promise<RunMeta> {
  try {
    return JSON.parse(await readFile(paths.meta, 'utf8')) as RunMeta;
  } catch (error) {
    if (await neverBegan(paths)) throw new RefusedError(`run ${paths.id} never began: its process died while it wrote ${paths.dir}`, [`Nothing was started. Remove that folder: ${called} cleanup ${paths.id}`], { cause: error });
    throw new RefusedError(`the state of run ${paths.id} is damaged: ${messageOf(error)}`, [`What it made is named in ${paths.journal} (cleanup.deferred): remove that by hand, then the folder ${paths.dir}.`], { cause: error });
  }
}

/** A run writes run.json before anything is made, and its journal after that. */
export async function neverBegan({ meta, journal, work }: RunPaths): Promise<boolean> {
  const there = await Promise.all([meta, journal, work].map((path) => access(path).then(() => true, () => false)));
  return !there.includes(true);
}
