import { setTimeout as pause } from 'node:timers/promises';
import { StepError } from '../../engine/errors.js';
import { nextLookMs } from '../../engine/pace.js';
import { allProcesses, processFacts, processesWith } from './identity.js';
import type { EndSignal, ProcessIdentity } from './port.js';

/** How long a process gets between the first signal and SIGKILL, in ms. */
const defaultGraceMs = 5_000;
/** How long the kernel gets to remove what was killed, in ms. */
const killedMs = 2_000;

/** False when nothing was there to get it. */
function send(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ESRCH') return false;
    // It runs, as a user that we may not signal.
    if (code === 'EPERM' && signal === 0) return true;
    throw error;
  }
}

/** Does anything in this process group still run? Zombies that nobody has asked for do not. */
async function groupAlive(group: number): Promise<boolean> {
  return send(-group, 0) && (await allProcesses()).some((facts) => facts.group === group && !facts.ended);
}

async function same(identity: ProcessIdentity): Promise<boolean> {
  const facts = await processFacts(identity.pid);
  return facts !== undefined && !facts.ended && facts.startTime === identity.startTime;
}

/** Waits until it is not alive any more; false when it still is after so long. */
export async function gone(alive: () => Promise<boolean>, withinMs: number): Promise<boolean> {
  const from = performance.now();
  while (await alive()) {
    const waitedMs = performance.now() - from;
    if (waitedMs >= withinMs) return false;
    await pause(nextLookMs(waitedMs));
  }
  return true;
}

async function endTarget(what: string, pid: number, alive: () => Promise<boolean>, graceMs: number, first: EndSignal): Promise<void> {
  if (!(await alive())) return;
  send(pid, first);
  if (await gone(alive, graceMs)) return;
  send(pid, 'SIGKILL');
  if (!(await gone(alive, killedMs))) throw new StepError('process-survives', `${what} still runs ${killedMs} ms after SIGKILL`, { hint: 'It may wait in the kernel for a disk or a network file system.' });
}

/** Ends a whole process group: `first`, then SIGKILL after `graceMs`. Throws StepError `process-survives`. */
export async function endGroup(group: number, graceMs = defaultGraceMs, first: EndSignal = 'SIGTERM'): Promise<void> {
  await endTarget(`process group ${group}`, -group, () => groupAlive(group), graceMs, first);
}

/** Ends a process, with its group where it leads one, if it is still the same process. */
export async function endProcess(identity: ProcessIdentity, graceMs = defaultGraceMs): Promise<void> {
  const facts = await processFacts(identity.pid);
  if (facts === undefined || facts.startTime !== identity.startTime) return;
  if (facts.group === identity.pid) await endGroup(identity.pid, graceMs);
  else await endTarget(`process ${identity.pid}`, identity.pid, () => same(identity), graceMs, 'SIGTERM');
}

/**
 * Ends every process whose environment holds all of `variables`, also one that left its group; never this one. Looks
 * again until there is none: one that was about to end may have started another.
 */
export async function endProcessesWith(variables: readonly string[], graceMs = defaultGraceMs, first: EndSignal = 'SIGTERM'): Promise<void> {
  for (;;) {
    const found = (await processesWith(variables)).filter((pid) => pid !== process.pid);
    if (found.length === 0) return;
    const ends = found.map(async (pid) => {
      const facts = await processFacts(pid);
      if (facts !== undefined && !facts.ended) await endTarget(`process ${pid}`, pid, () => same(facts), graceMs, first);
    });
    const failed = (await Promise.allSettled(ends)).find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }
}
