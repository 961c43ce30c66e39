import { createHash } from 'node:crypto';
import { lstat, mkdir, open, readdir, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { atOnce } from '../engine/at-once.js';
import { messageOf } from '../engine/errors.js';
import { logName, type FileDigest } from './texts.js';

/** The bundle cannot be written. `file` is what could not be. */
export class BundleError extends Error {
  override readonly name = 'BundleError';
  constructor(readonly file: string, cause: unknown) {
    super(`cannot write the evidence to ${file}: ${messageOf(cause)}`, { cause });
  }
}

/** Files of a bundle that are written and flushed side by side, so that a disk flushes them together. */
export class BundleFiles {
  readonly #folders = new Map<string, Promise<unknown>>();
  readonly #writes: Promise<unknown>[] = [];

  constructor(readonly root: string) {}

  /** Begins to write; `flushed` tells how it went. */
  put(path: string, text: string | Buffer): void {
    const file = join(this.root, path);
    const written = writing(file, async () => {
      await this.folder(dirname(file));
      await writeFlushed(file, text);
    });
    written.catch(() => {});
    this.#writes.push(written);
  }

  putAll(files: Iterable<readonly [string, string | Buffer]>): void {
    for (const [path, text] of files) this.put(path, text);
  }

  folder(path: string): Promise<unknown> {
    const made = this.#folders.get(path) ?? mkdir(path, { recursive: true, mode: 0o755 });
    this.#folders.set(path, made);
    return made;
  }

  /** Files first, then the folders, so that names survive a crash of the machine. Throws the first BundleError once nothing is written any more. */
  async flushed(): Promise<void> {
    await allDone(this.#writes);
    await allDone([this.root, ...this.#folders.keys()].map((folder) => writing(folder, () => flushFolder(folder))));
  }

  async settled(): Promise<void> {
    await Promise.allSettled(this.#writes);
  }
}

/** Logs that are copied at the same time, so that a disk flushes them together. */
const logsAtOnce = 16;

/** Puts the steps' logs into data/logs. */
export async function copyLogs(from: string, files: BundleFiles): Promise<FileDigest[]> {
  const names = await readdir(from).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  const taken = new Set<string>();
  const logs: { readonly source: string; readonly target: string }[] = [];
  for (const name of names.toSorted((a, b) => (a < b ? -1 : 1))) {
    const source = join(from, name);
    if ((await lstat(source)).isFile()) logs.push({ source, target: freeName(name, taken) });
  }
  if (logs.length === 0) return [];
  const to = join(files.root, 'data', 'logs');
  await writing(to, () => files.folder(to));
  return atOnce(logs, logsAtOnce, async ({ source, target }) => {
    const file = join(to, target);
    return { path: `data/logs/${target}`, ...(await writing(file, () => copyFlushed(source, file))) };
  });
}

function freeName(name: string, taken: Set<string>): string {
  const stem = name.replace(/\.log$/, '').replaceAll(/[^A-Za-z0-9._-]/g, '_').replace(/^[^A-Za-z0-9]+/, '').slice(0, 150) || 'log';
  let free = `${stem}.log`;
  for (let n = 2; taken.has(free.toLowerCase()) || !logName.test(free); n += 1) free = `${stem}-${n}.log`;
  taken.add(free.toLowerCase());
  return free;
}

const chunkBytes = 64 * 1024;

function copyFlushed(from: string, to: string): Promise<{ sha256: string; bytes: number }> {
  return inFile(from, 'r', (source) =>
    inFile(to, 'w', async (target) => {
      const hash = createHash('sha256');
      const chunk = Buffer.allocUnsafe(chunkBytes);
      let bytes = 0;
      for (;;) {
        const { bytesRead } = await source.read(chunk, 0, chunkBytes);
        if (bytesRead === 0) break;
        const read = chunk.subarray(0, bytesRead);
        hash.update(read);
        await target.writeFile(read);
        bytes += bytesRead;
      }
      await target.sync();
      return { sha256: hash.digest('hex'), bytes };
    }),
  );
}

/** The file is on disk when it resolves. */
export function writeFlushed(file: string, text: string | Buffer): Promise<void> {
  return inFile(file, 'w', async (handle) => {
    await handle.writeFile(text);
    await handle.sync();
  });
}

/** So that the names in it survive a crash of the machine. */
export function flushFolder(folder: string): Promise<void> {
  return inFile(folder, 'r', (handle) => handle.sync());
}

async function inFile<T>(path: string, flags: 'r' | 'w', work: (handle: FileHandle) => Promise<T>): Promise<T> {
  const handle = await open(path, flags, 0o644);
  try {
    return await work(handle);
  } finally {
    await handle.close();
  }
}

/** Throws the first error when all have ended: nothing is written after it. */
async function allDone(work: readonly Promise<unknown>[]): Promise<void> {
  for (const end of await Promise.allSettled(work)) if (end.status === 'rejected') throw end.reason;
}

/** Throws BundleError. */
export async function writing<T>(file: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    throw error instanceof BundleError ? error : new BundleError(file, error);
  }
}
