import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { called } from '../engine/called.js';
import { RefusedError } from '../engine/errors.js';
import { makeFolder } from '../engine/make-folder.js';
import { LiveWorld } from '../engine/world.js';
import { readAnswers, type Answers } from '../clients/operator/answers.js';
import { identityOf } from '../clients/process/identity.js';
import { BundleError, openBundle, type BundleWriter } from '../evidence/bag.js';
import { latestBundles } from '../evidence/order.js';
import { outliveTerminal } from './cancellation.js';
import { aboutRun } from './about.js';
import type { ReliedApproval } from './approvals.js';
import { closedDrill } from './closes.js';
import { guardOf } from './compose.js';
import { conduct } from './conduct.js';
import { tellParent } from './detach.js';
import { registerRun, storeOf, tellRefused } from './evidence-store.js';
import { parseSet } from './inputs.js';
import { withoutSecrets, type CommandIo } from './io.js';
import { takeLocks, type RunLocks } from './locks.js';
import { preflightHook } from './observe.js';
import { report } from './outcome.js';
import { sensitiveInputs, type DrillSources, type Prepared } from './prepare.js';
import { prepareRun } from './prepare-run.js';
import { sealerOf, type SealOptions } from './sealer.js';
import { tellSinks } from './sinks.js';
import { openLines } from './store-lines.js';
import { newRunId, runPaths, stateDir, stateUnwritable, writeMeta, type RunPaths } from './state.js';

export interface RunOptions extends Omit<DrillSources, 'runbook' | 'environment'>, SealOptions {
  /** Both, or a plan that names them. */
  readonly runbook: string | undefined;
  readonly environment: string | undefined;
  /** A saved plan: exactly that is run. */
  readonly plan: string | undefined;
  readonly evidenceDir: string;
  /** The bundle of a drill that did not pass and that this one repeats. */
  readonly closes?: string | undefined;
  readonly keep: boolean;
  readonly json: boolean;
  /** Never prompt. */
  readonly yes: boolean;
  readonly answers: string | undefined;
}

/** `muster run`: plans, runs, derives the verdict, writes the bundle and says how it went. */
export async function run(options: RunOptions, plainIo: CommandIo): Promise<number> {
  outliveTerminal();
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
  const answers: Answers = options.answers === undefined ? new Map() : await readAnswers(resolve(io.cwd, options.answers));
  const { plan } = prepared;
  const sealer = await sealerOf(options, io);
  const closes = options.closes === undefined ? {} : { closes: await closedDrill(options.closes, plan.binding.runbook.name, io.cwd) };
  const state = stateDir(io.env, io.cwd);
  const paths = runPaths(state, newRunId(plan.binding.runbook.name));
  const evidenceDir = resolve(io.cwd, options.evidenceDir);
  const runbookPath = resolve(io.cwd, prepared.runbook.path);
  const environmentPath = resolve(io.cwd, prepared.environment.path);
  const store = await storeOf(prepared.environment.document, environmentPath, io);
  await writeState(paths, prepared, approvals, { evidenceDir, runbook: runbookPath, environment: environmentPath, keep: options.keep, given: [...Object.keys(parseSet(options.set)), ...Object.keys(sensitiveInputs(prepared.runbook.document.inputs, io))] });
  const previous = await latestBundles(evidenceDir);
  const bundle = await reserve(evidenceDir, paths);
  let locks: RunLocks;
  try {
    locks = await takeLocks(plan, paths.id, state, guardOf({ plan, world: new LiveWorld(), ownDirectories: [], protectedDirectories: [state, evidenceDir], runbookDir: dirname(runbookPath) }), prepared.secrets);
  } catch (error) {
    await bundle.abandon();
    await rm(paths.dir, { recursive: true, force: true });
    throw error;
  }
  for (const { run: dead } of locks.tookOver) io.stderr(`Run ${dead} held a lock of this drill and died. What it left may still be there: ${called} cleanup ${dead}\n`);
  const registered = store === undefined ? undefined : await registerRun(store, plan, paths.id).catch(async (error: unknown) => {
    await locks.release();
    await bundle.abandon();
    await rm(paths.dir, { recursive: true, force: true });
    throw error;
  });
  if (registered !== undefined) io.stderr(openLines(registered));
  tellParent(paths.id);
  const conducted = await conduct(
    {
      plan,
      runbook: prepared.runbook.document,
      runbookPath,
      environment: prepared.environment.document,
      environmentPath,
      inputs: prepared.inputs,
      secrets: prepared.secrets,
      paths,
      state,
      evidenceDir,
      bundle,
      sealer,
      store,
      ...(registered === undefined ? {} : { registered }),
      previous,
      ...closes,
      about: await aboutRun(plan, sealer, evidenceDir),
      locks,
      keep: options.keep,
      json: options.json,
      yes: options.yes,
      answers,
      approvals: approvals.map(({ event }) => event),
      preflight: (guard, shared) => preflightHook(prepared, paths.id, guard, shared, io),
    },
    io,
  );
  if (conducted.finished === null) {
    await bundle.abandon();
    if (store !== undefined) await tellRefused(store, paths.id, prepared.secrets.text(conducted.result.refused?.message ?? ''), io);
  }
  const code = await report(conducted, paths, options.json, io);
  if (conducted.finished !== null) await tellSinks({ ...conducted.finished, plan }, prepared.environment.document, io);
  return code;
}

/** All that another process needs to end this run stands on disk before anything is made. */
async function writeState(paths: RunPaths, { plan, runbook, environment }: Prepared, approvals: readonly ReliedApproval[], facts: { readonly evidenceDir: string; readonly runbook: string; readonly environment: string; readonly keep: boolean; readonly given: readonly string[] }): Promise<void> {
  const identity = await identityOf(process.pid);
  try {
    await makeFolder(paths.dir, 0o711);
    await writeFile(paths.plan, `${JSON.stringify(plan)}\n`, { mode: 0o600 });
    await writeFile(paths.runbook, runbook.text, { mode: 0o600 });
    await writeFile(paths.environment, environment.text, { mode: 0o600 });
    if (approvals.length > 0) await mkdir(paths.approvals, { mode: 0o700 });
    for (const { files } of approvals) {
      await writeFile(join(paths.approvals, files.file), files.text, { mode: 0o600 });
      await writeFile(join(paths.approvals, `${files.file}.sig`), files.signature, { mode: 0o600 });
    }
    await writeMeta(paths, { id: paths.id, pid: process.pid, startTime: identity?.startTime ?? null, ...facts });
  } catch (error) {
    await rm(paths.dir, { recursive: true, force: true }).catch(() => {});
    throw stateUnwritable(paths.dir, error);
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
