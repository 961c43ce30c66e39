import { execFile } from 'node:child_process';
import { readlinkSync } from 'node:fs';
import { readFile, realpath } from 'node:fs/promises';
import { endianness } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { StepError } from '../../engine/errors.js';
import { endProcess, gone } from '../process/end.js';
import { identityOf, pids } from '../process/identity.js';
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

export interface ServerProcesses {
  /** undefined when it has died and left others behind. */
  readonly postmaster: ProcessIdentity | undefined;
  readonly all: readonly ProcessIdentity[];
}

/**
 * The processes of the server in `dataDir`. Linux: those whose working directory it is, which holds for every process of a
 * server and also for one whose postmaster was killed. Elsewhere: the pid of postmaster.pid, if that process names the folder.
 */
export async function serverProcesses(dataDir: string): Promise<ServerProcesses> {
  const main = (await postmasterFile(dataDir))?.pid;
  const pids = process.platform === 'linux' ? await workingIn(dataDir) : main !== undefined && (await namesFolder(main, dataDir)) ? [main] : [];
  const all = (await Promise.all(pids.map(identityOf))).filter((identity) => identity !== undefined);
  return { postmaster: all.find(({ pid }) => pid === main), all };
}

async function namesFolder(pid: number, folder: string): Promise<boolean> {
  if (!(pid > 0)) return false;
  try {
    return (await promisify(execFile)('ps', ['-p', String(pid), '-ww', '-o', 'command='])).stdout.includes(folder);
  } catch {
    return false;
  }
}

async function workingIn(dataDir: string): Promise<number[]> {
  const folder = await realpath(dataDir).catch(() => dataDir);
  return pids().filter((pid) => pid !== process.pid && workingFolder(pid) === folder);
}

function workingFolder(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return undefined;
  }
}

export type StopMode = 'fast' | 'immediate';
const signals = { fast: 'SIGINT', immediate: 'SIGQUIT' } as const;

/**
 * Asks the postmaster, if it is still that process, to shut down and waits until no process of the server is left.
 * Throws StepError `postgres-does-not-stop`.
 */
export async function stopServer(postmaster: ProcessIdentity, dataDir: string, mode: StopMode, timeoutMs: number): Promise<void> {
  const alive = async (): Promise<boolean> => (await identityOf(postmaster.pid))?.startTime === postmaster.startTime;
  if (await alive()) process.kill(postmaster.pid, signals[mode]);
  const stopped = await gone(async () => (await alive()) || (await serverProcesses(dataDir)).all.length > 0, timeoutMs);
  if (!stopped) throw new StepError('postgres-does-not-stop', `the server in ${dataDir} still runs ${timeoutMs} ms after a ${mode} shutdown was asked for`);
}

/** Ends whatever works in `dataDir`: an immediate shutdown where there is a postmaster, else by force. Nothing there is fine. */
export async function endServer(dataDir: string): Promise<void> {
  const { postmaster } = await serverProcesses(dataDir);
  if (postmaster !== undefined) await stopServer(postmaster, dataDir, 'immediate', politeMs).catch(() => undefined);
  await Promise.all((await serverProcesses(dataDir)).all.map((identity) => endProcess(identity, 0)));
}

const politeMs = 10_000;
