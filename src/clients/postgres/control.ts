import { spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { messageOf, StepError } from '../../engine/errors.js';
import { nextLookMs } from '../../engine/pace.js';
import { identityOf } from '../process/identity.js';
import type { ProcessIdentity } from '../process/port.js';
import type { LocalDetails } from './details.js';
import { codeOf } from './errors.js';
import { asUser } from './owner.js';
import type { LocalServer } from './port.js';
import { endServer, inProduction, postmasterFile, serverProcesses, stopServer } from './processes.js';
import { readLog, startFailure } from './serverlog.js';

/** What one process remembers of the servers that it started, by data directory; adapters of all scopes share it. */
export type StartedServers = Map<string, { readonly identity: ProcessIdentity; readonly logFrom: number }>;

const shutdownMs = 60_000;

/** Starts and stops the server of one connection. `before` is called ahead of every change. */
export function localServer(details: LocalDetails, port: number, started: StartedServers, runId: string, signal: AbortSignal, before: () => Promise<void>): LocalServer {
  return {
    dataDir: details.dataDir,
    version: details.version,
    running: async () => (await serverProcesses(details.dataDir)).all.length > 0,
    empty: async () => (await entriesOf(details.dataDir)) === 0,
    logLines: () => readLog(details.logFile, started.get(details.dataDir)?.logFrom ?? 0),
    async start({ settings, wait, timeoutMs }) {
      await before();
      signal.throwIfAborted();
      const identity = await launch(details, { ...settings, port: String(port) }, started, runId);
      await ready(details, identity, wait, timeoutMs, started, signal);
      return identity;
    },
    async stop(mode) {
      await before();
      const { postmaster } = await serverProcesses(details.dataDir);
      if (postmaster === undefined) await endServer(details.dataDir);
      else await stopServer(postmaster, details.dataDir, mode, shutdownMs);
    },
  };
}

async function entriesOf(folder: string): Promise<number> {
  try {
    return (await readdir(folder)).length;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return 0;
    throw error;
  }
}

/** Runs `postgres` itself: its pid is the postmaster's, and there is no window in which only a file knows it. */
async function launch(details: LocalDetails, settings: Readonly<Record<string, string>>, started: StartedServers, runId: string): Promise<ProcessIdentity> {
  const [already] = (await serverProcesses(details.dataDir)).all;
  if (already !== undefined) throw new StepError('postgres-runs-already', `a server already runs in ${details.dataDir} (pid ${already.pid})`);
  const log = await open(details.logFile, constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND | constants.O_NOFOLLOW, 0o640);
  try {
    const logFrom = (await log.stat()).size;
    const args = ['-D', details.dataDir, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])];
    const child = spawn(join(details.binDir, 'postgres'), args, {
      ...asUser(details),
      cwd: details.dataDir,
      detached: true,
      env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin', TZ: 'UTC', LANG: 'C.UTF-8', MUSTER_RUN: runId },
      stdio: ['ignore', log.fd, log.fd],
    });
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', (error) => reject(new StepError('postgres-start-failed', `${join(details.binDir, 'postgres')} could not be run: ${messageOf(error)}`, { cause: error, hint: 'Are the binaries there, and may the user of the server execute them?' })));
    });
    child.unref();
    const identity = child.pid === undefined ? undefined : await identityOf(child.pid);
    started.delete(details.dataDir);
    if (identity === undefined) throw await failed(details, logFrom, `the server ended at once with code ${child.exitCode ?? child.signalCode ?? '?'}`);
    started.set(details.dataDir, { identity, logFrom });
    return identity;
  } finally {
    await log.close();
  }
}

/**
 * The postmaster writes its state to line 8 of postmaster.pid: `ready` once it accepts connections, which a hot standby
 * does too. That it has left recovery stands in pg_control, as for pg_ctl promote.
 */
async function ready(details: LocalDetails, identity: ProcessIdentity, wait: 'accepting' | 'promoted', timeoutMs: number, started: StartedServers, signal: AbortSignal): Promise<void> {
  const from = performance.now();
  const logFrom = started.get(details.dataDir)?.logFrom ?? 0;
  try {
    for (;;) {
      const file = await postmasterFile(details.dataDir);
      if (file?.pid === identity.pid && file.state === 'ready' && (wait === 'accepting' || (await inProduction(details.dataDir)))) return;
      if ((await identityOf(identity.pid))?.startTime !== identity.startTime) throw await failed(details, logFrom, 'the server ended');
      signal.throwIfAborted();
      const waitedMs = performance.now() - from;
      if (waitedMs > timeoutMs) {
        const last = (await readLog(details.logFile, logFrom)).at(-1);
        throw new StepError('postgres-start-timeout', `the server did not ${wait === 'promoted' ? 'leave recovery' : 'accept connections'} within ${timeoutMs} ms${last === undefined ? '' : `; its log ends with: ${last}`}`);
      }
      await pause(nextLookMs(waitedMs));
    }
  } catch (error) {
    await stopServer(identity, details.dataDir, 'immediate', shutdownMs);
    throw error;
  }
}

async function failed(details: LocalDetails, logFrom: number, what: string): Promise<StepError> {
  const { line, hint } = startFailure(await readLog(details.logFile, logFrom));
  return new StepError('postgres-start-failed', `PostgreSQL did not start: ${line} (${what}; log: ${details.logFile})`, hint === undefined ? {} : { hint });
}

