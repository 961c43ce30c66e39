import { called } from '../engine/called.js';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { padEnd } from '../report/style.js';
import { isAlive } from './alive.js';
import type { CommandIo } from './io.js';
import { listRuns, neverBegan, readMeta, runPaths, stateDir, type RunMeta } from './state.js';

/** `muster ps`: the runs that still have state here, and what to do about each. */
export async function ps(io: CommandIo): Promise<number> {
  const state = stateDir(io.env, io.cwd);
  const runs = await listRuns(state);
  if (runs.length === 0) io.stderr(`No runs in ${state}.\n`);
  for (const id of runs) {
    const paths = runPaths(state, id);
    const meta = await readMeta(paths).catch(() => undefined);
    const [status, next] = meta !== undefined ? await statusOf(meta) : (await neverBegan(paths)) ? ['never began', `${called} cleanup ${id}`] : ['unreadable', `look at ${paths.dir}`];
    io.stdout(`${padEnd(id, 56)} ${padEnd(status, 12)} ${next}\n`);
  }
  return 0;
}

async function statusOf(meta: RunMeta): Promise<[string, string]> {
  const { id, pid, evidenceDir, keep } = meta;
  if (await isAlive(meta)) return ['running', `process ${pid}; ${called} attach ${id}`];
  const ended = await access(join(evidenceDir, id)).then(() => true, () => false);
  if (ended) return [keep ? 'kept' : 'left over', `${called} cleanup ${id}`];
  return ['interrupted', `${called} resume ${id}, or: ${called} cleanup ${id}`];
}
