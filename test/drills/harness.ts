import { spawn, type ChildProcess } from 'node:child_process';
import { createWriteStream, existsSync, readdirSync, readFileSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFailed, vi } from 'vitest';
import { parse, stringify } from 'yaml';
import { isParallel, type Environment, type Runbook, type RunbookStep } from '../../src/engine/documents.js';
import type { Drill, ReasonCode } from '../../src/engine/drill.js';
import type { DrillEvent, EventOf, EventType } from '../../src/engine/events.js';
import type { EvidenceKind, EvidenceOf } from '../../src/engine/kinds/index.js';

export const root = fileURLToPath(new URL('../../', import.meta.url));
const fixture = fileURLToPath(new URL('fixtures/act.js', import.meta.url));
// A drill takes some seconds, on a machine that is busy with others much longer.
vi.setConfig({ testTimeout: 240_000 });

const runIdPattern = /\d{8}T\d{6}Z-[a-z][a-z0-9-]*-[0-9a-f]{6}/;

export interface DrillOptions {
  /** The environment to start from; default sandbox. */
  readonly on?: 'sandbox' | 'pgbackrest';
  /** Edits the parsed runbooks/pitr-restore.yaml. */
  readonly runbook?: (runbook: Runbook) => void;
  readonly environment?: (environment: Environment) => void;
  /** Keep the environment's watchers. Drills that tamper to see another rule at work go without. */
  readonly watched?: boolean;
  /** Writes runbook and environment into the folder; instead of `on`, `runbook` and `environment`. */
  readonly documents?: (folder: string) => Promise<[runbook: string, environment: string]>;
  /** Default 2000 rows. */
  readonly set?: Readonly<Record<string, string | number>>;
  readonly args?: readonly string[];
  /** Default: a folder of its own. */
  readonly evidenceDir?: string;
  /** What happens beside the drill; its failure fails the test. */
  readonly beside?: (live: LiveDrill) => Promise<void>;
  /** The checkout to run; default this one. */
  readonly checkout?: string;
  /** The operating system user that Muster runs as, when the tests run as root. */
  readonly uid?: number;
  /** Added to the environment of the command. */
  readonly env?: Readonly<Record<string, string>>;
  /** Runs it at a terminal, by script(1); everything is written to stdout then. */
  readonly terminal?: boolean;
}

type How = Pick<DrillOptions, 'checkout' | 'uid' | 'env' | 'terminal'>;

/** A drill that is under way, seen as another process sees it. */
export interface LiveDrill {
  readonly child: ChildProcess;
  /** Its state directory. */
  readonly state: string;
  /** Resolves when the command has ended. */
  readonly ended: Promise<unknown>;
  /** Resolves to the first event of the journal that fits; rejects when the drill ends without one. */
  until(fits: (event: DrillEvent) => boolean): Promise<DrillEvent>;
  /** Types a line at the terminal once `prompt` stands there. */
  answer(prompt: string, line: string): Promise<void>;
}

export interface Drilled {
  /** Exit code; null when a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** null where the run was refused before it had one. */
  readonly runId: string | null;
  /** Holds state/, evidence/ and the documents; goes after the test. */
  readonly folder: string;
  readonly state: string;
  readonly evidenceDir: string;
  /** The bundle's folder, null where none was left. */
  readonly bundle: string | null;
}

/** A drill that left a bundle, which `muster verify` has found sound. */
export interface Judged extends Drilled {
  readonly bundle: string;
  readonly runId: string;
  readonly drill: Drill;
  readonly events: readonly DrillEvent[];
  readonly codes: readonly ReasonCode[];
  of<T extends EventType>(type: T): EventOf<T>[];
  evidence<K extends EvidenceKind>(kind: K): EvidenceOf<K>[];
  /** Details of the reasons of one code, one a line. */
  why(code: ReasonCode): string;
}

const folders: string[] = [];

/** Call it in afterAll. */
export async function removeFolders(): Promise<void> {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
}

/** A folder that the servers' user can enter. */
export async function scratch(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'muster-drill-'));
  folders.push(folder);
  await chmod(folder, 0o755);
  return folder;
}

/** Runs `muster run` as a user does, to its end. */
export async function run(options: DrillOptions = {}): Promise<Drilled> {
  const folder = await scratch();
  const state = join(folder, 'state');
  const evidenceDir = options.evidenceDir ?? join(folder, 'evidence');
  const [runbook, environment] = await (options.documents?.(folder) ?? documents(folder, options));
  const set = Object.entries({ ...(options.documents === undefined ? { rows: 2000 } : {}), ...options.set }).flatMap(([name, value]) => ['--set', `${name}=${value}`]);
  if (options.uid !== undefined) await giveAway(folder);
  const args = ['run', runbook, '--env', environment, '--evidence-dir', evidenceDir, ...set, ...(options.args ?? [])];
  const started = start(folder, state, args, options);
  const [ended] = await Promise.all([started.ended, options.beside?.(liveDrill(state, started))]);
  const runId = runIdPattern.exec(ended.stderr + ended.stdout)?.[0] ?? null;
  const bundle = runId === null ? null : join(evidenceDir, runId);
  return { ...ended, runId, folder, state, evidenceDir, bundle: bundle !== null && existsSync(bundle) ? bundle : null };
}

/**
 * Runs a drill that is to leave a bundle: whatever its verdict, `muster verify` must find the bundle sound, the exit code
 * must be the verdict's, and nothing may be left.
 */
export async function drill(options: DrillOptions = {}): Promise<Judged> {
  const drilled = await run(options);
  const judged = await judge(drilled);
  expect(judged.code, judged.stderr).toBe({ passed: 0, failed: 1, incomplete: 1, cancelled: 4 }[judged.drill.verdict]);
  expectNothingLeft(judged);
  return judged;
}

/** Reads the bundle and has it verified. */
export async function judge(drilled: Drilled): Promise<Judged> {
  const { bundle, runId } = drilled;
  if (bundle === null || runId === null) throw new Error(`the drill left no bundle (exit ${drilled.code}):\n${drilled.stderr}`);
  const verified = await muster(drilled.folder, ['verify', bundle]);
  expect(verified.code, verified.stdout + verified.stderr).toBe(0);
  const read = (name: string) => readFileSync(join(bundle, 'data', name), 'utf8');
  const result = JSON.parse(read('drill.json')) as Drill;
  onTestFailed(() => console.error([`${result.verdict}: ${runId}`, ...result.reasons.map(({ code, step, detail }) => `${code} ${step ?? ''}: ${detail}`)].join('\n')));
  const events = read('events.jsonl').trimEnd().split('\n').map((line) => JSON.parse(line) as DrillEvent);
  const of = <T extends EventType>(type: T) => events.filter((event): event is EventOf<T> => event.type === type);
  return {
    ...drilled,
    bundle,
    runId,
    drill: result,
    events,
    codes: [...new Set(result.reasons.map(({ code }) => code))],
    of,
    evidence: <K extends EvidenceKind>(kind: K) => of('evidence.recorded').filter(({ data }) => data.kind === kind).map(({ data }) => data.data as EvidenceOf<K>),
    why: (code) => result.reasons.filter((reason) => reason.code === code).map(({ detail }) => detail).join('\n'),
  };
}

/** A command that goes on while something else happens; its state is `folder`/state. */
export function begin(folder: string, args: readonly string[], options: How = {}): { readonly live: LiveDrill; readonly ended: Promise<Ended> } {
  const state = join(folder, 'state');
  const started = start(folder, state, args, options);
  return { live: liveDrill(state, started), ended: started.ended };
}

/** Another command of the command line, in `folder`. */
export async function muster(folder: string, args: readonly string[], options: How = {}): Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }> {
  return start(folder, join(folder, 'state'), args, options).ended;
}

/** No process of the run, none of its folders, no partial bundle, no state. */
export function expectNothingLeft({ runId, state, evidenceDir }: Drilled): void {
  if (runId !== null) expect(processesOf(runId)).toEqual([]);
  expect(runsIn(state)).toEqual([]);
  expect(existsSync(evidenceDir) ? readdirSync(evidenceDir).filter((name) => name.startsWith('.')) : []).toEqual([]);
  expect(readdirSync(tmpdir()).filter((name) => runId !== null && name.includes(runId))).toEqual([]);
}

export function runsIn(state: string): string[] {
  const runs = join(state, 'runs');
  return existsSync(runs) ? readdirSync(runs) : [];
}

/** Pids whose environment bears the run's mark. */
export function processesOf(runId: string): string[] {
  return processesWith(`MUSTER_RUN=${runId}`);
}

/** Pids whose environment holds `NAME=value`. */
export function processesWith(variable: string): string[] {
  return readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && environmentOf(pid).includes(variable));
}

function environmentOf(pid: string): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
  } catch {
    return [];
  }
}

async function documents(folder: string, { on = 'sandbox', runbook: editRunbook, environment: editEnvironment, watched }: DrillOptions): Promise<[string, string]> {
  const runbook = parse(await readFile(join(root, 'runbooks/pitr-restore.yaml'), 'utf8')) as Runbook;
  const environment = parse(await readFile(join(root, `runbooks/environments/${on}.yaml`), 'utf8')) as Environment;
  // Fixture steps run node; a second of health is as good as two where nothing is said about it.
  environment.boundary.commands = [...(environment.boundary.commands ?? []), process.execPath];
  environment.stableFor = '1s';
  if (watched !== true) delete environment.watch;
  editRunbook?.(runbook);
  editEnvironment?.(environment);
  return writeDocuments(folder, runbook, environment);
}

/** Where the runbook says `{{ state }}`, it gets the state directory of what runs in `folder`. */
export async function writeDocuments(folder: string, runbook: Runbook, environment: Environment): Promise<[runbook: string, environment: string]> {
  const files: [string, string] = [join(folder, 'runbook.yaml'), join(folder, 'environment.yaml')];
  await writeFile(files[0], stringify(runbook, { aliasDuplicateObjects: false }).replaceAll('{{ state }}', join(folder, 'state')));
  await writeFile(files[1], stringify(environment, { aliasDuplicateObjects: false }));
  return files;
}

async function giveAway(folder: string): Promise<void> {
  await mkdir(join(folder, 'state'), { recursive: true });
  await chmod(folder, 0o777);
  await chmod(join(folder, 'state'), 0o777);
}

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface Started {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** What it has written up to now. */
  readonly written: { readonly stdout: string; readonly stderr: string };
}

let commands = 0;

function start(folder: string, state: string, args: readonly string[], { checkout = root, uid, env: added, terminal = false }: How): Started {
  commands += 1;
  const files = { stdout: join(folder, `${commands}.stdout`), stderr: join(folder, `${commands}.stderr`) };
  const { NODE_OPTIONS: _options, VITEST: _vitest, ...env } = process.env;
  const argv = [process.execPath, join(checkout, 'bin/muster.js'), ...args];
  const quoted = argv.map((word) => `'${word}'`).join(' ');
  const [program = '', ...rest] = terminal ? ['script', '-qec', quoted, '/dev/null'] : argv;
  const child = spawn(program, rest, {
    cwd: folder,
    env: { ...env, MUSTER_STATE_DIR: state, HOME: folder, ...added },
    stdio: [terminal ? 'pipe' : 'ignore', 'pipe', 'pipe'],
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
  child.stdout?.pipe(createWriteStream(files.stdout));
  child.stderr?.pipe(createWriteStream(files.stderr));
  const chunks = { stdout: '', stderr: '' };
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (chunks.stdout += text));
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (chunks.stderr += text));
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, ...chunks }));
  });
  return { child, ended, written: chunks };
}

function liveDrill(state: string, { child, ended, written }: Started): LiveDrill {
  let over: Ended | undefined;
  void ended.then((result) => (over = result), () => undefined);
  const found = async <T>(look: () => T | undefined): Promise<T> => {
    for (;;) {
      const seen = look();
      if (seen !== undefined) return seen;
      if (over !== undefined) throw new Error(`the drill ended (exit ${over.code}) before what was waited for:\n${over.stderr}${over.stdout}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  return {
    child,
    state,
    ended,
    until: (fits) => found(() => journalOf(state).find(fits)),
    async answer(prompt, line) {
      await found(() => (written.stdout.includes(prompt) ? true : undefined));
      child.stdin?.write(`${line}\n`);
    },
  };
}

function journalOf(state: string): DrillEvent[] {
  const [run] = runsIn(state);
  const file = join(state, 'runs', run ?? '', 'journal.jsonl');
  if (run === undefined || !existsSync(file)) return [];
  return readFileSync(file, 'utf8').split('\n').slice(0, -1).map((line) => JSON.parse(line) as DrillEvent);
}

/** The step of the runbook that has this id. */
export function stepOf(runbook: Runbook, id: string): RunbookStep {
  const found = runbook.steps.find((node): node is RunbookStep => !isParallel(node) && node.id === id);
  if (found === undefined) throw new Error(`the runbook has no step ${id}`);
  return found;
}

/** Changes the `with` of a step. */
export function edit(runbook: Runbook, id: string, change: Record<string, unknown>): void {
  const step = stepOf(runbook, id);
  step.with = { ...step.with, ...change };
}

export function after(runbook: Runbook, id: string, ...steps: RunbookStep[]): void {
  runbook.steps.splice(runbook.steps.indexOf(stepOf(runbook, id)) + 1, 0, ...steps);
}

export function before(runbook: Runbook, id: string, ...steps: RunbookStep[]): void {
  runbook.steps.splice(runbook.steps.indexOf(stepOf(runbook, id)), 0, ...steps);
}

export function remove(runbook: Runbook, ...ids: string[]): void {
  for (const id of ids) runbook.steps.splice(runbook.steps.indexOf(stepOf(runbook, id)), 1);
}

export function removeProbes(runbook: Runbook, ...ids: string[]): void {
  for (const id of ids) delete runbook.probes?.[id];
}

/** A step that does what fixtures/act.js calls `action`. */
export function act(id: string, phase: RunbookStep['phase'], action: string, args: readonly string[] = [], effect: 'read' | 'modify' = 'modify'): RunbookStep {
  return { id, phase, uses: 'exec', with: { argv: [process.execPath, fixture, action, '{{ state }}', ...args], effect, outputs: 'json', ...(effect === 'read' ? {} : { changes: [{ system: 'fixture', object: '*' }] }) }, timeout: '1m' };
}
