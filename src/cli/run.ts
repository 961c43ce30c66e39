import { mkdir, rm, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { dirname, isAbsolute, join, relative, resolve } from 'node:path';
import { bootId, systemClock } from '../engine/clock.js';
import { RefusedError } from '../engine/errors.js';
import type { DrillEvent, EventOf } from '../engine/events.js';
import { openJournal, type Journal, type JournalOptions } from '../engine/journal.js';
import { runDrill, type DrillResult } from '../engine/run.js';
import { environmentValues } from '../engine/template.js';
import { LiveWorld } from '../engine/world.js';
import { operatorPort } from '../clients/operator/adapter.js';
import { readAnswers } from '../clients/operator/answers.js';
import { identityOf } from '../clients/process/identity.js';
import { BundleError, openBundle, type BundleWriter } from '../evidence/bag.js';
import { latestBundles } from '../evidence/order.js';
import { createStyle, wantsColour } from '../report/style.js';
import { createProgress } from '../report/terminal.js';
import { summary } from '../report/terminal-summary.js';
import { boundaryCheck } from './boundary.js';
import { listenForCancel } from './cancellation.js';
import { bindPorts, guardOf, sharedAdapters } from './compose.js';
import { exitCodes } from './exit-codes.js';
import { finishRun, type Finished } from './finish.js';
import type { ReliedApproval } from './approvals.js';
import { withoutSecrets, type CommandIo } from './io.js';
import { preflightHook } from './observe.js';
import { toolVersion, type DrillSources, type Prepared } from './prepare.js';
import { prepareRun } from './prepare-run.js';
import { registry } from './registry.generated.js';
import { residueOf } from './residue.js';
import { sealerOf, type SealOptions } from './sealer.js';
import { sealedCode, sealLines } from './seal-lines.js';
import { newRunId, runPaths, stateDir, type RunMeta, type RunPaths } from './state.js';

export interface RunOptions extends Omit<DrillSources, 'runbook' | 'environment'>, SealOptions {
  /** Both, or a plan that names them. */
  readonly runbook: string | undefined;
  readonly environment: string | undefined;
  /** A saved plan: exactly that is run. */
  readonly plan: string | undefined;
  readonly evidenceDir: string;
  readonly keep: boolean;
  readonly json: boolean;
  /** Never prompt. */
  readonly yes: boolean;
  readonly answers: string | undefined;
}

/** `muster run`: plans, runs, derives the verdict, writes the bundle and says how it went. */
export async function run(options: RunOptions, plainIo: CommandIo): Promise<number> {
  const { prepared, approvals } = await prepareRun(options, plainIo);
  const io = withoutSecrets(plainIo, prepared.secrets);
  try {
    return await runPrepared(prepared, approvals, options, io);
  } catch (error) {
    // Said here: nobody else knows what must not show in it.
    return (await import('./failure.js')).reportFailure(error, io);
  }
}

async function runPrepared(prepared: Prepared, approvals: readonly ReliedApproval[], options: RunOptions, io: CommandIo): Promise<number> {
  const { secrets: redactor } = prepared;
  const answers = options.answers === undefined ? new Map() : await readAnswers(resolve(io.cwd, options.answers));
  const sealer = await sealerOf(options, io);
  const state = stateDir(io.env, io.cwd);
  const paths = runPaths(state, newRunId(prepared.plan.binding.runbook.name));
  const evidenceDir = resolve(io.cwd, options.evidenceDir);
  await writeState(paths, prepared, approvals, { evidenceDir, keep: options.keep, cwd: io.cwd });
  const previous = await latestBundles(evidenceDir);
  const bundle = await reserve(evidenceDir, paths);

  const progress = await createProgress({ plan: prepared.plan, stream: process.stderr, env: io.env });
  const cancellation = listenForCancel(() => stopAtOnce(paths.id));
  const world = new LiveWorld();
  const records = new Map<string, EventOf<'evidence.recorded'>[]>();
  let journal: Journal | undefined;
  const onEvent = (event: DrillEvent): void => {
    world.apply(event);
    progress.event(event);
    if (options.json) io.stdout(`${JSON.stringify(event)}\n`);
    if (event.type === 'evidence.recorded') keepEvidence(event, records, bundle, () => journal);
  };
  const journalOptions: JournalOptions = { boot: bootId(), redactor };
  let result: DrillResult;
  try {
    journal = await openJournal(paths.journal, { ...journalOptions, onEvent });
    const terminal = options.yes || !process.stdin.isTTY || !process.stderr.isTTY ? undefined : { input: process.stdin, output: process.stderr, pause: () => progress.pause() };
    const shared = sharedAdapters(operatorPort(terminal, answers), redactor);
    const runbookDir = dirname(resolve(io.cwd, prepared.runbook.path));
    const guard = guardOf({ plan: prepared.plan, world, ownDirectories: [paths.work], protectedDirectories: [state, evidenceDir], runbookDir });
    result = await runDrill({
      runId: paths.id,
      plan: prepared.plan,
      runbook: prepared.runbook.document,
      runbookDir,
      files: { runbook: resolve(io.cwd, prepared.runbook.path), environment: resolve(io.cwd, prepared.environment.path) },
      inputs: prepared.inputs.values,
      env: environmentValues(prepared.environment.document.metadata),
      operator: userInfo().username,
      previous,
      toolVersion: toolVersion(),
      runDir: paths.dir,
      registry,
      bindPorts: bindPorts(shared),
      endpoints: shared.endpoints,
      guard,
      journal,
      redactor,
      clock: systemClock(),
      signal: cancellation.signal,
      keep: options.keep,
      approvals: approvals.map(({ event }) => event),
      hooks: {
        preflight: preflightHook(prepared, paths.id, guard, shared, io),
        boundary: boundaryCheck({ runId: paths.id, environment: prepared.plan.binding.environment, guard, postgres: shared.postgres }),
        residue: (made) => residueOf(paths.id, made),
      },
    });
  } finally {
    await journal?.close().catch(() => {});
    await progress.close();
    cancellation.release();
  }
  if (result.refused !== undefined) return refuse(result.refused, result, bundle, paths, io);
  const finished = await finishRun({ paths, plan: prepared.plan, runbook: prepared.runbook.document, bundle, journal: journalOptions, sealer });
  return report(finished, result, paths, options, io);
}

/** All that another process needs to end this run stands on disk before anything is made. */
async function writeState(paths: RunPaths, { plan, runbook, environment }: Prepared, approvals: readonly ReliedApproval[], { evidenceDir, keep, cwd }: { readonly evidenceDir: string; readonly keep: boolean; readonly cwd: string }): Promise<void> {
  const identity = await identityOf(process.pid);
  const meta: RunMeta = { id: paths.id, pid: process.pid, startTime: identity?.startTime ?? null, evidenceDir, runbook: resolve(cwd, runbook.path), environment: resolve(cwd, environment.path), keep };
  try {
    await mkdir(paths.dir, { recursive: true, mode: 0o711 });
    await writeFile(paths.meta, `${JSON.stringify(meta)}\n`, { mode: 0o600 });
    await writeFile(paths.plan, `${JSON.stringify(plan)}\n`, { mode: 0o600 });
    await writeFile(paths.runbook, runbook.text, { mode: 0o600 });
    await writeFile(paths.environment, environment.text, { mode: 0o600 });
    if (approvals.length > 0) await mkdir(paths.approvals, { mode: 0o700 });
    for (const { files } of approvals) {
      await writeFile(join(paths.approvals, files.file), files.text, { mode: 0o600 });
      await writeFile(join(paths.approvals, `${files.file}.sig`), files.signature, { mode: 0o600 });
    }
  } catch (error) {
    await rm(paths.dir, { recursive: true, force: true }).catch(() => {});
    throw new RefusedError(`cannot write the state of the run to ${paths.dir}`, [String(error instanceof Error ? error.message : error), 'Set MUSTER_STATE_DIR to a folder that may be written.'], { cause: error });
  }
}

async function reserve(evidenceDir: string, paths: RunPaths): Promise<BundleWriter> {
  try {
    return await openBundle(evidenceDir, paths.id);
  } catch (error) {
    await rm(paths.dir, { recursive: true, force: true });
    if (error instanceof BundleError) throw new RefusedError(error.message, ['Nothing was started. Give another folder with --evidence-dir.'], { cause: error });
    throw error;
  }
}

/** Evidence goes to its file at once, so that a full disk shows in the run and not after it. */
function keepEvidence(event: EventOf<'evidence.recorded'>, records: Map<string, EventOf<'evidence.recorded'>[]>, bundle: BundleWriter, journal: () => Journal | undefined): void {
  const { kind } = event.data;
  const all = [...(records.get(kind) ?? []), event];
  records.set(kind, all);
  bundle.recordEvidence(kind, all).catch(async (error: unknown) => {
    if (!(error instanceof BundleError)) throw error;
    await journal()?.append('evidence.write-failed', { file: error.file, message: error.message }).catch(() => {});
  });
}

async function refuse(refused: RefusedError, result: DrillResult, bundle: BundleWriter, paths: RunPaths, io: CommandIo): Promise<number> {
  await bundle.abandon();
  const { reportFailure } = await import('./failure.js');
  const code = await reportFailure(refused, io);
  if (await leftBehind(result, paths, io)) return exitCodes.residue;
  return code;
}

async function report(finished: Finished, result: DrillResult, paths: RunPaths, options: RunOptions, io: CommandIo): Promise<number> {
  const { drill, bundle } = finished;
  const stream = options.json ? process.stderr : process.stdout;
  const style = createStyle(wantsColour(stream.isTTY, io.env));
  const text = summary(drill, { bundle: bundle === null ? null : shown(bundle, io.cwd) }, style);
  if (options.json) io.stderr(text);
  else io.stdout(text);
  if (bundle !== null) io.stderr(sealLines(finished.seal, shown(bundle, io.cwd), style));
  else io.stderr(`The journal of this run is kept: ${paths.journal}\n`);
  if (options.keep) {
    io.stderr(`\nWhat the drill made was kept (--keep). Remove it with: npx muster cleanup ${paths.id}\n`);
    return sealedCode(finished);
  }
  if (bundle === null) return sealedCode(finished);
  return (await leftBehind(result, paths, io)) ? exitCodes.residue : sealedCode(finished);
}

/** Says what could not be cleaned up; else the run's state goes. */
async function leftBehind(result: DrillResult, paths: RunPaths, io: CommandIo): Promise<boolean> {
  if (result.cleanupFailures.length === 0) {
    await rm(paths.dir, { recursive: true, force: true });
    return false;
  }
  io.stderr(`\nThese cleanups failed, so something may be left behind:\n${result.cleanupFailures.map(({ uses, error }) => `  ${uses}: ${error}\n`).join('')}Try them again with: npx muster cleanup ${paths.id}\n`);
  return true;
}

/** A second Ctrl-C: nothing is waited for any more. */
function stopAtOnce(id: string): never {
  const showCursor = process.stderr.isTTY ? '\u001b[?25h' : '';
  process.stderr.write(`${showCursor}\nStopped at once; what the drill made is still there. Remove it with: npx muster cleanup ${id}\n`);
  process.exit(exitCodes.residue);
}

function shown(path: string, cwd: string): string {
  const near = relative(cwd, path);
  return near.startsWith('..') || isAbsolute(near) ? path : near;
}
