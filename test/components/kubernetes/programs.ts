import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';

/** A server of ours, ended by its pid; the kernel ends it as well when the process that started it dies. */
export interface Program {
  readonly pid: number;
  readonly logFile: string;
  /** Says why when it has ended by itself. */
  ended(): string | undefined;
  stop(signal?: NodeJS.Signals): Promise<void>;
}

/** Ports for etcd and friends are told apart by being taken at once. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, '127.0.0.1');
      await once(server, 'listening');
      return server;
    }),
  );
  const ports = servers.map((server) => {
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    return address.port;
  });
  await Promise.all(servers.map((server) => (server.close(), once(server, 'close'))));
  return ports;
}

/** Starts `file`; what it prints goes to `<folder>/<name>.log`. */
export function startProgram(name: string, file: string, args: readonly string[], folder: string, env: Readonly<Record<string, string>> = {}): Program {
  const logFile = join(folder, `${name}.log`);
  const log = openSync(logFile, 'a');
  // It is of util-linux, and execs the program, so that the pid is the program's.
  const dying = existsSync('/usr/bin/setpriv') ? ['/usr/bin/setpriv', '--pdeathsig', 'KILL'] : [];
  const [program = file, ...rest] = [...dying, file, ...args];
  const child = spawn(program, rest, { cwd: folder, env: { PATH: process.env['PATH'], HOME: folder, TMPDIR: folder, ...env }, stdio: ['ignore', log, log] });
  closeSync(log);
  const ended = once(child, 'exit').catch((error: unknown) => error);
  return {
    pid: child.pid ?? -1,
    logFile,
    ended: () => (child.exitCode === null && child.signalCode === null && child.pid !== undefined ? undefined : `${name} ended (${child.exitCode ?? child.signalCode}):\n${lastLines(logFile)}`),
    async stop(signal = 'SIGTERM') {
      if (child.exitCode === null && child.signalCode === null) await end(child, signal, ended);
    },
  };
}

async function end(child: ChildProcess, signal: NodeJS.Signals, ended: Promise<unknown>): Promise<void> {
  child.kill(signal);
  const late = setTimeout(() => child.kill('SIGKILL'), 20_000);
  await ended;
  clearTimeout(late);
}

/** Waits until `ready` says so. Throws when one of the programs has ended, or after `limitMs`. */
export async function until(what: string, ready: () => Promise<boolean>, programs: readonly Program[], limitMs = 200_000): Promise<void> {
  const deadline = Date.now() + limitMs;
  for (;;) {
    if (await ready().catch(() => false)) return;
    for (const program of programs) {
      const why = program.ended();
      if (why !== undefined) throw new Error(why);
    }
    if (Date.now() > deadline) throw new Error(`${what}: not within ${limitMs} ms\n${programs.map(({ logFile }) => lastLines(logFile)).join('\n')}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Its last lines, without the stacks of goroutines that follow a fatal error. */
function lastLines(logFile: string): string {
  const lines = readFileSync(logFile, 'utf8').split('\n');
  const stacks = lines.findIndex((line) => line.startsWith('goroutine '));
  return lines.slice(0, stacks === -1 ? undefined : stacks).slice(-15).join('\n');
}
