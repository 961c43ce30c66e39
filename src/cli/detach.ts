import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { open, readFile, rename, rm, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { called } from '../engine/called.js';
import { makeFolder } from '../engine/make-folder.js';
import { exitCodes } from './exit-codes.js';
import type { CommandIo } from './io.js';
import { runPaths, stateDir, stateUnwritable } from './state.js';

const marker = 'MUSTER_DETACHED';

/**
 * Runs the same command in a session of its own, without a terminal, and prints the run's id as soon as its state is on disk.
 * What ends before that is told here, with its exit code.
 */
export async function detach(args: readonly string[], io: CommandIo): Promise<number> {
  const state = stateDir(io.env, io.cwd);
  const draft = join(state, 'runs', `.detached-${randomBytes(6).toString('hex')}.log`);
  const log = await openDraft(draft);
  const entry = process.argv[1];
  if (entry === undefined) throw new Error('there is no program to start again');
  try {
    const child = spawn(process.execPath, [...process.execArgv, entry, ...args.filter((arg) => arg !== '--detach')], {
      cwd: io.cwd,
      env: { ...io.env, [marker]: '1' },
      detached: true,
      stdio: ['ignore', log.fd, log.fd, 'ipc'],
    });
    const started = await new Promise<{ readonly run: string } | { readonly code: number }>((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (code) => resolve({ code: code ?? exitCodes.internal }));
      child.once('message', (message: { run: string }) => resolve(message));
    });
    if ('code' in started) {
      io.stderr(await readFile(draft, 'utf8'));
      await rm(draft, { force: true });
      return started.code;
    }
    const paths = runPaths(state, started.run);
    await rename(draft, paths.output).catch(() => undefined);
    child.disconnect();
    child.unref();
    io.stdout(`${started.run}\n`);
    io.stderr(`The drill runs on its own (process ${child.pid}).\nFollow it: ${called} attach ${started.run}\nEnd it:    kill -INT ${child.pid}\n`);
    return exitCodes.passed;
  } finally {
    await log.close();
  }
}

/** In the process that `detach` started: the run has begun and can be named. */
export function tellParent(run: string): void {
  if (process.env[marker] !== '1' || process.send === undefined) return;
  delete process.env[marker];
  // A parent that is gone need not know.
  process.send({ run }, () => {
    if (process.connected) process.disconnect();
  });
}

async function openDraft(file: string): Promise<FileHandle> {
  try {
    await makeFolder(dirname(file), 0o711);
    return await open(file, 'wx', 0o600);
  } catch (error) {
    throw stateUnwritable(dirname(file), error);
  }
}
