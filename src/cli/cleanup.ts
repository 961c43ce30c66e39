import { dirname } from 'node:path';
import { rm } from 'node:fs/promises';
import { called } from '../engine/called.js';
import { runCleanups, type CleanupFailure } from '../engine/cleanup.js';
import { bootId, systemClock } from '../engine/clock.js';
import { UsageError } from '../engine/errors.js';
import { openJournal } from '../engine/journal.js';
import { Redactor } from '../engine/redact.js';
import { openBundle } from '../evidence/bag.js';
import type { Sealer } from '../evidence/seal.js';
import { createStyle, wantsColour } from '../report/style.js';
import { summary } from '../report/terminal-summary.js';
import { visible } from '../report/visible.js';
import { endProcessesWith } from '../clients/process/end.js';
import { outliveTerminal } from './cancellation.js';
import { bindPorts, guardToEnd, sharedAdapters } from './compose.js';
import { storeOf } from './evidence-store.js';
import { exitCodes } from './exit-codes.js';
import { finishRun, type Finished } from './finish.js';
import { withoutSecrets, type CommandIo } from './io.js';
import { addKnownSecrets } from './known-secrets.js';
import { forgetLocks } from './locks.js';
import { secretsOf } from './prepare.js';
import { registry } from './registry.generated.js';
import { lookForMarked } from './marked.js';
import type { Left } from './left.js';
import { Inventory } from './residue.js';
import { conductTaken, inputsOf, plannedInputs } from './resume.js';
import { sealLines } from './seal-lines.js';
import { sealerIfUsable, type SealOptions } from './sealer.js';
import { tellSinks } from './sinks.js';
import { findRun, listRuns, neverBegan, runIdPattern, stateDir } from './state.js';
import { storedLines } from './store-lines.js';
import { forget, hasBundle, own, takeOver, type TakenOver } from './taken-over.js';

export interface CleanupOptions extends SealOptions {
  readonly set: readonly string[];
}

/**
 * `muster cleanup`: removes what a run has left, kept or not, and writes the bundle that a run whose process died could
 * not write. The exit code tells only whether everything is gone: the verdict of such a bundle is never `passed` unless all of
 * the drill had been done.
 */
export async function cleanup(name: string, options: CleanupOptions, io: CommandIo): Promise<number> {
  outliveTerminal();
  const state = stateDir(io.env, io.cwd);
  if (runIdPattern.test(name) && !(await listRuns(state)).includes(name)) {
    io.stderr(`Nothing is left of run ${name} in ${state}.\n`);
    return exitCodes.passed;
  }
  const paths = await findRun(state, name);
  if (await neverBegan(paths)) {
    await rm(paths.dir, { recursive: true, force: true });
    io.stderr(`Run ${paths.id} never began, so it made nothing; its folder has been removed.\n`);
    return exitCodes.passed;
  }
  const sealer = await sealerIfUsable(options, io);
  const taken = await takeOver(name, io);
  try {
    await own(taken);
    const { paths, journal } = taken;
    if (journal.run === null) return await gone(taken, io);
    const left = journal.finished ? await sweepFinished(taken, sealer, io) : await endUnfinished(taken, sealer, options.set, io);
    await forgetLocks(state, paths.id);
    if (left) {
      io.stderr(`Mend what stops the cleanup and try again: ${called} cleanup ${paths.id}\n`);
      return exitCodes.residue;
    }
    return await gone(taken, io);
  } finally {
    await taken.claim.release();
  }
}

async function gone(taken: TakenOver, io: CommandIo): Promise<number> {
  await forgetLocks(taken.state, taken.paths.id);
  await forget(taken);
  io.stderr(`Run ${taken.paths.id}: everything that it made has been removed.\n`);
  return exitCodes.passed;
}

/** Says whether something is left. */
async function endUnfinished(taken: TakenOver, sealer: Sealer | undefined, set: readonly string[], plainIo: CommandIo): Promise<boolean> {
  const inputs = inputsIfGiven(taken, set, plainIo);
  const secrets = secretsOf(inputs, taken.environment, plainIo);
  const io = withoutSecrets(plainIo, secrets);
  const conducted = await conductTaken(taken, { mode: 'end', inputs, secrets, sealer, locks: { release: async () => {} }, keep: false, json: false, yes: true, sweep: () => endAll(taken) }, io);
  if (conducted.finished !== null) await tell(conducted.finished, taken, io);
  return tellLeft(conducted.result.cleanupFailures, conducted.left, io) || conducted.finished?.bundle === null;
}

/** Its journal is closed: what was kept, or could not be removed then. */
async function sweepFinished(taken: TakenOver, sealer: Sealer | undefined, io: CommandIo): Promise<boolean> {
  const { paths, plan, meta, runbook, state, journal } = taken;
  const secrets = new Redactor();
  addKnownSecrets(secrets, io.env);
  const options = { boot: bootId(), redactor: secrets };
  if (!(await hasBundle(taken))) {
    // Before anything is added to the journal: the bundle holds the run up to its end.
    const finished = await finishRun({ paths, plan, runbook, bundle: await openBundle(meta.evidenceDir, paths.id), journal: options, sealer, store: await storeOf(taken.environment, meta.environment, io) });
    await tell(finished, taken, io);
    if (finished.bundle === null) return true;
  }
  const shared = sharedAdapters(undefined, secrets);
  const log = await openJournal(paths.journal, options);
  let failures: CleanupFailure[];
  const guard = guardToEnd({ plan, world: journal.world, ownDirectories: [paths.work], protectedDirectories: [state, meta.evidenceDir], runbookDir: dirname(meta.runbook) });
  const inventory = new Inventory(plan, paths, journal.world, () => lookForMarked({ plan, world: journal.world, bindPorts: bindPorts(shared), guard, runId: paths.id }));
  for (const event of log.found.events) inventory.apply(event);
  try {
    failures = await runCleanups({
      pending: journal.pending,
      runId: paths.id,
      registry,
      world: journal.world,
      bindPorts: bindPorts(shared),
      guard,
      journal: log,
      clock: systemClock(),
      log: (who, line) => io.stderr(`${who}: ${visible(line)}\n`),
    });
  } finally {
    await log.close();
  }
  await endAll(taken);
  if (failures.length === 0) await rm(paths.work, { recursive: true, force: true });
  await inventory.residue([], state);
  return tellLeft(failures, inventory.left, io);
}

/** Whatever still bears the run's mark: nobody else gives it to a process. */
async function endAll({ paths, state }: TakenOver): Promise<void> {
  await endProcessesWith([`MUSTER_RUN=${paths.id}`]);
  await forgetLocks(state, paths.id);
}

/** A cleanup is not refused for want of a sensitive value: only a step of the runbook's `cleanup` that needs it fails. */
function inputsIfGiven(taken: TakenOver, set: readonly string[], io: CommandIo): ReturnType<typeof inputsOf> {
  try {
    return inputsOf(taken, set, io);
  } catch (error) {
    if (!(error instanceof UsageError) || set.length > 0) throw error;
    if ((taken.runbook.cleanup ?? []).length > 0) io.stderr(`${error.message}\n`);
    const inputs = Object.entries(taken.runbook.inputs ?? {});
    const usual = Object.fromEntries(inputs.flatMap(([name, { default: value }]) => (value === undefined ? [] : [[name, value]])));
    return { values: { ...usual, ...plannedInputs(taken.plan) }, sensitive: inputs.flatMap(([name, spec]) => (spec['x-sensitive'] === true ? [name] : [])) };
  }
}

async function tell({ drill, bundle, seal, closes, stored }: Finished, { plan, environment }: TakenOver, io: CommandIo): Promise<void> {
  io.stdout(summary(drill, { bundle, closes }, createStyle(wantsColour(process.stdout.isTTY, io.env))));
  if (bundle !== null) io.stderr(sealLines(seal, bundle, createStyle(wantsColour(process.stderr.isTTY, io.env))));
  if (bundle !== null && stored !== null) io.stderr(storedLines(stored, bundle, createStyle(wantsColour(process.stderr.isTTY, io.env))));
  await tellSinks({ drill, plan, bundle }, environment, io);
}

function tellLeft(failures: readonly CleanupFailure[], left: readonly Left[], io: CommandIo): boolean {
  if (failures.length > 0) io.stderr(`These cleanups failed:\n${failures.map(({ uses, error }) => `  ${uses}: ${visible(error)}\n`).join('')}`);
  if (left.length > 0) io.stderr(`Left behind:\n${left.map(({ system, object, remedy }) => `  ${system}  ${visible(object)}  (${remedy})\n`).join('')}`);
  return failures.length > 0 || left.length > 0;
}
