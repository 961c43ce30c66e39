import { readFile, rm } from 'node:fs/promises';
import { hostname, userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { runCleanups, type CleanupFailure } from '../engine/cleanup.js';
import { bootId, systemClock } from '../engine/clock.js';
import { RefusedError } from '../engine/errors.js';
import type { DrillEvent } from '../engine/events.js';
import { openJournal, type Journal, type JournalOptions } from '../engine/journal.js';
import type { Plan } from '../engine/plan-document.js';
import { Redactor } from '../engine/redact.js';
import { resumeState } from '../engine/resume.js';
import type { LiveWorld } from '../engine/world.js';
import { identityOf } from '../clients/process/identity.js';
import { bindPorts, guardOf, sharedAdapters } from './compose.js';
import type { CommandIo } from './io.js';
import { registry } from './registry.generated.js';
import { residueOf } from './residue.js';
import { findRun, readMeta, stateDir, type RunMeta, type RunPaths } from './state.js';

/** A run whose process is gone, with everything that it registered cleaned up. */
export interface EndedRun {
  readonly paths: RunPaths;
  readonly meta: RunMeta;
  readonly plan: Plan;
  readonly journal: JournalOptions;
  readonly failures: readonly CleanupFailure[];
  /** The journal holds a beginning, so a verdict can be derived. */
  readonly begun: boolean;
}

/** Takes over a run from its journal and does what it still owes. Throws UsageError, or RefusedError while it is alive. */
export async function endInterrupted(name: string, io: CommandIo): Promise<EndedRun> {
  const state = stateDir(io.env, io.cwd);
  const paths = await findRun(state, name);
  const meta = await readMeta(paths);
  if (await isAlive(meta)) throw new RefusedError(`run ${paths.id} is still under way (process ${meta.pid})`, [`End it with Ctrl-C where it runs, or: kill -INT ${meta.pid}`]);
  const plan = JSON.parse(await readFile(paths.plan, 'utf8')) as Plan;
  const redactor = new Redactor();
  redactor.add(io.env['PGPASSWORD'] ?? '');
  const options: JournalOptions = { boot: bootId(), redactor };
  const follow: { world: LiveWorld | undefined } = { world: undefined };
  const journal = await openJournal(paths.journal, { ...options, onEvent: (event: DrillEvent) => follow.world?.apply(event) });
  try {
    const { pending, world, finished, run } = resumeState(journal.found.events);
    follow.world = world;
    const begun = run !== null;
    if (!begun || (finished && pending.length === 0)) return { paths, meta, plan, journal: options, failures: [], begun };
    if (!finished) await journal.append('run.resumed', { host: hostname(), operator: userInfo().username, cut: journal.found.cut });
    const shared = sharedAdapters(undefined, redactor);
    const runbookDir = dirname(meta.runbook);
    const failures = await runCleanups({
      pending,
      runId: paths.id,
      registry,
      world,
      bindPorts: bindPorts(shared),
      guard: guardOf({ plan, world, ownDirectories: [paths.work], protectedDirectories: [state, meta.evidenceDir], runbookDir }),
      journal,
      clock: systemClock(),
      log: (who, line) => io.stderr(`${who}: ${line}\n`),
    });
    if (!finished) await conclude(journal, paths, world);
    return { paths, meta, plan, journal: options, failures, begun };
  } finally {
    await journal.close();
  }
}

async function conclude(journal: Journal, paths: RunPaths, world: LiveWorld): Promise<void> {
  await journal.append('evidence.recorded', { kind: 'residue', data: await residueOf(paths.id, world) });
  await journal.append('run.finished', {});
}

export async function isAlive(meta: RunMeta): Promise<boolean> {
  const identity = await identityOf(meta.pid);
  return identity !== undefined && identity.startTime === meta.startTime;
}

/** After the last of a run: its state goes, and the bundle that it never finished. */
export async function forget(paths: RunPaths, meta: RunMeta): Promise<void> {
  await rm(join(meta.evidenceDir, `.${paths.id}.partial`), { recursive: true, force: true });
  await rm(paths.dir, { recursive: true, force: true });
}
