import { randomBytes } from 'node:crypto';
import { link, readdir, readFile, stat, unlink, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { sha256 } from '../../engine/canonical.js';
import { makeFolder } from '../../engine/make-folder.js';
import { identityOf } from '../process/identity.js';

/** Who holds a lock. */
export interface Holder {
  /** What it protects. */
  readonly key: string;
  readonly run: string;
  readonly host: string;
  readonly pid: number;
  /** Of that process, so that another one with its pid is not taken for it; null where the system does not say. */
  readonly startTime: string | null;
  /** UTC, ISO 8601. */
  readonly since: string;
}

export interface FileLock {
  readonly key: string;
  /** Whose lock this one replaced: its process has died. */
  readonly tookOver: Holder | null;
  /** Safe to call twice. */
  release(): Promise<void>;
}

const beatMs = 5_000;
/** On another machine only its heartbeat tells whether a holder lives; a machine that slept this long has lost its lock. */
export const silentMs = 60_000;

/**
 * Takes the lock on `key` in `folder`, or gives who holds it. A holder counts only while its process lives: on this host by
 * pid and start time, on another by its heartbeat (the time of its file).
 *
 * Each holder is a file `<key>.<n>` that is made whole or not at all (link), with a higher n than a dead one's: two that find
 * the same dead holder cannot both succeed it.
 */
export async function takeFileLock(folder: string, key: string, run: string): Promise<FileLock | Holder> {
  await makeFolder(folder, 0o700);
  const prefix = sha256(key).slice(0, 32);
  const own: Holder = { key, run, host: hostname(), pid: process.pid, startTime: (await identityOf(process.pid))?.startTime ?? null, since: new Date().toISOString() };
  for (;;) {
    const before = await holders(folder, prefix);
    for (const { path, holder } of before) if (await lives(path, holder)) return holder;
    const file = join(folder, `${prefix}.${(before.at(-1)?.n ?? 0) + 1}`);
    if (!(await makeWhole(folder, file, own))) continue;
    // Somebody who looked while there was no file at all may have begun at 1.
    const rival = (await holders(folder, prefix)).find((other) => other.path !== file && !before.some(({ path }) => path === other.path));
    if (rival !== undefined && (await lives(rival.path, rival.holder))) {
      await unlink(file);
      return rival.holder;
    }
    for (const { path } of before) await unlink(path).catch(() => undefined);
    return held(file, own, before.at(-1)?.holder ?? null);
  }
}

/** Every lock that `run` holds or held when it died. */
export async function locksOf(folder: string, run: string): Promise<readonly { readonly path: string; readonly holder: Holder }[]> {
  return (await holders(folder, '')).filter(({ holder }) => holder.run === run);
}

/** Removes the locks that a dead run has left. */
export async function dropLocks(folder: string, run: string): Promise<void> {
  for (const { path, holder } of await locksOf(folder, run)) if (!(await lives(path, holder))) await unlink(path).catch(() => undefined);
}

function held(file: string, { key }: Holder, tookOver: Holder | null): FileLock {
  const beat = setInterval(() => {
    const now = new Date();
    utimes(file, now, now).catch(() => undefined);
  }, beatMs);
  beat.unref();
  return {
    key,
    tookOver,
    async release() {
      clearInterval(beat);
      await unlink(file).catch(() => undefined);
    },
  };
}

/** Whole or not at all; false when the name is taken. */
async function makeWhole(folder: string, file: string, holder: Holder): Promise<boolean> {
  const draft = join(folder, `.${randomBytes(8).toString('hex')}`);
  await writeFile(draft, `${JSON.stringify(holder)}\n`, { mode: 0o600, flag: 'wx' });
  try {
    await link(draft, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    await unlink(draft);
  }
}

/** By rising n. */
async function holders(folder: string, prefix: string): Promise<{ readonly path: string; readonly n: number; readonly holder: Holder }[]> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  const found = await Promise.all(
    names.map(async (name) => {
      const n = Number(/^[0-9a-f]{32}\.(\d+)$/.exec(name)?.[1]);
      if (!name.startsWith(prefix) || Number.isNaN(n)) return [];
      const path = join(folder, name);
      const text = await readFile(path, 'utf8').catch(() => undefined);
      return text === undefined ? [] : [{ path, n, holder: JSON.parse(text) as Holder }];
    }),
  );
  return found.flat().sort((a, b) => a.n - b.n);
}

async function lives(path: string, holder: Holder): Promise<boolean> {
  if (holder.host === hostname()) return (await identityOf(holder.pid))?.startTime === holder.startTime && holder.startTime !== null;
  const seen = await stat(path).catch(() => undefined);
  return seen !== undefined && Date.now() - seen.mtimeMs < silentMs;
}
