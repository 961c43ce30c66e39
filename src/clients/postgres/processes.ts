import { readdir, readFile, readlink, realpath } from 'node:fs/promises';
import { endianness } from 'node:os';
import { join } from 'node:path';
import { StepError } from '../../engine/errors.js';
import { endProcess } from '../process/end.js';
import { identityOf } from '../process/identity.js';
import type { ProcessIdentity } from '../process/port.js';

/** What postmaster.pid says (src/include/utils/pidfile.h): line 1 the pid, line 8 the state. It proves nothing alone. */
export async function postmasterFile(dataDir: string): Promise<{ readonly pid: number; readonly state: string } | undefined> {
  try {
    const lines = (await readFile(join(dataDir, 'postmaster.pid'), 'utf8')).split('\n');
    return { pid: Number(lines[0]), state: (lines[7] ?? '').trim() };
  } catch {
    return undefined;
  }
}

/**
 * Does pg_control say "in production"? Its state is the int32 after system id, pg_control version and catalog version
 * (src/include/catalog/pg_control.h, since 9.3), in the machine's byte order; DB_IN_PRODUCTION is 6.
 */
export async function inProduction(dataDir: string): Promise<boolean> {
  const bytes = await readFile(join(dataDir, 'global', 'pg_control'));
  const state = bytes.length < 20 ? -1 : endianness() === 'LE' ? bytes.readInt32LE(16) : bytes.readInt32BE(16);
  return state === 6;
}

/**
 * The processes of the server in `dataDir`, its postmaster first. Linux: those whose working directory it is, which holds for
 * every process of a server and also for one whose postmaster was killed. Elsewhere: the pid of postmaster.pid.
 */
export async function serverProcesses(dataDir: string): Promise<ProcessIdentity[]> {
  const main = (await postmasterFile(dataDir))?.pid;
  const found = process.platform === 'linux' ? await workingIn(dataDir) : main === undefined || !(main > 0) ? [] : [main];
  const identities = await Promise.all([...found.filter((pid) => pid === main), ...found.filter((pid) => pid !== main)].map(identityOf));
  return identities.filter((identity) => identity !== undefined);
}

async function workingIn(dataDir: string): Promise<number[]> {
  const folder = await realpath(dataDir).catch(() => dataDir);
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  const inside = await Promise.all(pids.map(async (pid) => (await readlink(`/proc/${pid}/cwd`).catch(() => undefined)) === folder));
  return pids.filter((_, i) => inside[i]).map(Number);
}

export type StopMode = 'fast' | 'immediate';
const signals = { fast: 'SIGINT', immediate: 'SIGQUIT' } as const;

/**
 * Asks the postmaster, if it is still that process, to shut down and waits until no process of the server is left.
 * Throws StepError `postgres-does-not-stop`.
 */
export async function stopServer(postmaster: ProcessIdentity, dataDir: string, mode: StopMode, timeoutMs: number): Promise<void> {
  const until = performance.now() + timeoutMs;
  if ((await identityOf(postmaster.pid))?.startTime === postmaster.startTime) process.kill(postmaster.pid, signals[mode]);
  while ((await identityOf(postmaster.pid))?.startTime === postmaster.startTime || (await serverProcesses(dataDir)).length > 0) {
    if (performance.now() > until) throw new StepError('postgres-does-not-stop', `the server in ${dataDir} still runs ${timeoutMs} ms after a ${mode} shutdown was asked for`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Ends whatever still works in `dataDir`, politely first. For cleanups: nothing there is fine. */
export async function endServer(dataDir: string): Promise<void> {
  const [main, ...others] = await serverProcesses(dataDir);
  if (main === undefined) return;
  try {
    await stopServer(main, dataDir, 'immediate', 10_000);
  } catch {
    for (const identity of [main, ...others, ...(await serverProcesses(dataDir))]) await endProcess(identity);
  }
}
