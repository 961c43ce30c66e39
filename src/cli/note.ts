import { hostname, userInfo } from 'node:os';
import { join } from 'node:path';
import { readFile } from 'node:fs/promises';
import { called } from '../engine/called.js';
import { RefusedError, UsageError } from '../engine/errors.js';
import { parseJournal } from '../engine/journal.js';
import type { CommandIo } from './io.js';
import { isAlive } from './alive.js';
import { post } from './spool.js';
import { findRun, readMeta, stateDir, type RunMeta, type RunPaths } from './state.js';

/** `muster note`: says that something was done by hand. The running drill writes it down and fails for it. */
export async function note(name: string, { manual, who }: { readonly manual: string; readonly who: string | undefined }, io: CommandIo): Promise<number> {
  const text = manual.trim();
  if (text === '') throw new UsageError('--manual: say what was changed by hand');
  const paths = await findRun(stateDir(io.env, io.cwd), name);
  const meta = await readMeta(paths);
  const person = who?.trim() || operator();
  if (!(await isAlive(meta))) throw gone(paths.id, 'is not running, so nobody can write it down');
  const taken = await post(paths.spool, { kind: 'note', text, who: person }, () => isAlive(meta)).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return false;
    throw error;
  });
  if (!taken && !(await inBundle(paths, meta, text, person))) throw gone(paths.id, 'ended before it could write this down');
  // Without the text: only the drill knows what in it is secret.
  io.stderr(`Noted in run ${paths.id}.\nThe drill goes on and will fail for it. Once the step stands in the runbook, repeat the drill.\n`);
  return 0;
}

/** Who sits here. */
export function operator(): string {
  return userInfo().username;
}

export function here(): string {
  return hostname();
}

function gone(run: string, what: string): RefusedError {
  return new RefusedError(`run ${run} ${what}`, [`If its process died: ${called} resume ${run}, and note it then. If the drill is over, say it where the bundle is filed: a bundle is never altered.`]);
}

/** The run may have ended between taking it and our looking. */
async function inBundle({ id }: RunPaths, { evidenceDir }: RunMeta, text: string, who: string): Promise<boolean> {
  try {
    const { events } = parseJournal(await readFile(join(evidenceDir, id, 'data/events.jsonl'), 'utf8'));
    return events.some((event) => event.type === 'note.manual' && event.data.text === text && event.data.who === who);
  } catch {
    return false;
  }
}
