import { access, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { called } from '../engine/called.js';
import { RefusedError } from '../engine/errors.js';
import type { DrillEvent } from '../engine/events.js';
import { readJournal } from '../engine/journal.js';
import { loadEnvironment, loadRunbook } from '../engine/load.js';
import type { Environment, Runbook } from '../engine/documents.js';
import type { Plan } from '../engine/plan-document.js';
import { resumeState, type ResumeState } from '../engine/resume.js';
import type { Takeover } from '../engine/run.js';
import { takeFileLock, type FileLock } from '../clients/lock/file-lock.js';
import { endProcessesWith } from '../clients/process/end.js';
import { identityOf } from '../clients/process/identity.js';
import { isAlive } from './alive.js';
import type { CommandIo } from './io.js';
import { claimKey, locksFolder } from './locks.js';
import { findRun, readMeta, stateDir, writeMeta, type RunMeta, type RunPaths } from './state.js';

/** A run whose process is gone and which is this process's now. */
export interface TakenOver {
  readonly state: string;
  readonly paths: RunPaths;
  readonly meta: RunMeta;
  readonly plan: Plan;
  readonly runbook: Runbook;
  readonly environment: Environment;
  readonly journal: ResumeState;
  /** Two processes never take over the same run. */
  readonly claim: FileLock;
}

/** Throws UsageError, or RefusedError while somebody else has the run. Nothing of the run is touched but its owner. */
export async function takeOver(name: string, io: CommandIo): Promise<TakenOver> {
  const state = stateDir(io.env, io.cwd);
  const paths = await findRun(state, name);
  const claim = await takeFileLock(locksFolder(state), claimKey(paths.id), paths.id);
  if (!('release' in claim)) throw new RefusedError(`run ${paths.id} is being taken over by another process (${claim.pid} on ${claim.host})`);
  try {
    const meta = await readMeta(paths);
    if (meta.pid !== process.pid && (await isAlive(meta))) {
      throw new RefusedError(`run ${paths.id} is still under way (process ${meta.pid})`, [`Follow it: ${called} attach ${paths.id}`, `End it with Ctrl-C where it runs, or: kill -INT ${meta.pid}`]);
    }
    const plan = JSON.parse(await readFile(paths.plan, 'utf8')) as Plan;
    const [runbook, environment] = await Promise.all([loadRunbook(paths.runbook), loadEnvironment(paths.environment)]);
    const events: readonly DrillEvent[] = (await exists(paths.journal)) ? (await readJournal(paths.journal)).events : [];
    return { state, paths, meta, plan, runbook: runbook.document, environment: environment.document, journal: resumeState(events), claim };
  } catch (error) {
    await claim.release();
    throw error;
  }
}

/** From here on this process is the run's. */
export async function own({ paths, meta }: TakenOver): Promise<void> {
  const identity = await identityOf(process.pid);
  await writeMeta(paths, { ...meta, pid: process.pid, startTime: identity?.startTime ?? null });
}

export function takeoverOf({ paths, journal }: TakenOver, mode: Takeover['mode']): Takeover {
  return { state: journal, mode, endCommands: (who) => endProcessesWith([`MUSTER_RUN=${paths.id}`, `MUSTER_STEP=${who}`]) };
}

export function hasBundle({ meta, paths }: TakenOver): Promise<boolean> {
  return exists(join(meta.evidenceDir, paths.id));
}

/** After the last of a run: its state goes, and the bundle that it never finished. */
export async function forget({ paths, meta }: TakenOver): Promise<void> {
  await rm(join(meta.evidenceDir, `.${paths.id}.partial`), { recursive: true, force: true });
  await rm(paths.dir, { recursive: true, force: true });
}

function exists(path: string): Promise<boolean> {
  return access(path).then(() => true, () => false);
}
