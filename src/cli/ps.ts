import { padEnd } from '../report/style.js';
import { isAlive } from './interrupted.js';
import type { CommandIo } from './io.js';
import { listRuns, readMeta, runPaths, stateDir } from './state.js';

/** `muster ps`: the runs that still have state here, and what to do about each. */
export async function ps(io: CommandIo): Promise<number> {
  const state = stateDir(io.env, io.cwd);
  const runs = await listRuns(state);
  if (runs.length === 0) io.stderr(`No runs in ${state}.\n`);
  for (const id of runs) {
    const paths = runPaths(state, id);
    const meta = await readMeta(paths).catch(() => undefined);
    const [status, next] = meta === undefined ? ['unreadable', `look at ${paths.dir}`] : (await isAlive(meta)) ? ['running', `process ${meta.pid}`] : meta.keep ? ['kept', `npx muster cleanup ${id}`] : ['interrupted', `npx muster cleanup ${id}`];
    io.stdout(`${padEnd(id, 56)} ${padEnd(status, 12)} ${next}\n`);
  }
  return 0;
}
