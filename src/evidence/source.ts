import { constants } from 'node:fs';
import { lstat, open, opendir, realpath, type FileHandle } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { messageOf } from '../engine/errors.js';
import type { Defect } from './defect.js';

/** One regular file of a bundle, wherever the bundle is kept. */
export interface SourceEntry {
  /** Relative to the bundle, with slashes. */
  readonly path: string;
  /** As its keeper says; what is read may be more. */
  readonly bytes: number;
  /** Its content in turn. A chunk is valid until the next is asked for. Rejects with what is wrong with this file. */
  chunks(): AsyncIterable<Buffer>;
}

/** A bundle in a folder or in an archive. Nothing in it is believed. */
export interface BundleSource {
  /** The name of the bundle's folder; null in an archive, which may be called anything. */
  readonly name: string | null;
  /** Every regular file once, in any order; each is read, or not, before the next is asked for. All else is a defect. */
  entries(say: (defect: Defect) => void): AsyncIterable<SourceEntry>;
}

export const maxEntries = 50_000;
const maxDepth = 3;
const folders = new Set(['data', 'data/evidence', 'data/logs', 'sig']);
const chunkBytes = 1024 * 1024;

export function unexpectedFolder(path: string): Defect | undefined {
  return folders.has(path) ? undefined : { code: 'unexpected-file', file: path, detail: 'no folder of this name belongs in a bundle' };
}

/** Follows no symlink and opens nothing but regular files. Rejects when `folder` itself cannot be read. */
export async function folderSource(folder: string): Promise<BundleSource> {
  const root = await realpath(folder);
  return {
    name: basename(root),
    async *entries(say) {
      let count = 0;
      async function* walk(below: string, depth: number): AsyncGenerator<SourceEntry> {
        for await (const { name } of await opendir(join(root, below))) {
          count += 1;
          if (count > maxEntries) return;
          const path = below === '' ? name : `${below}/${name}`;
          try {
            const found = await lstat(join(root, path));
            if (found.isFile()) yield { path, bytes: found.size, chunks: () => fileChunks(join(root, path)) };
            else if (!found.isDirectory()) say({ code: 'not-regular', file: path, detail: found.isSymbolicLink() ? 'a symbolic link; a bundle holds regular files only' : 'not a regular file' });
            else {
              const defect = unexpectedFolder(path);
              if (defect !== undefined) say(defect);
              if (depth < maxDepth) yield* walk(path, depth + 1);
            }
          } catch (error) {
            say({ code: 'unreadable', file: path, detail: messageOf(error) });
          }
        }
      }
      yield* walk('', 0);
      if (count > maxEntries) say({ code: 'too-large', detail: `more than ${maxEntries} files` });
    },
  };
}

/** Never blocks on a FIFO and never follows a link. */
async function* fileChunks(file: string): AsyncGenerator<Buffer> {
  const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const found = await handle.stat();
    if (!found.isFile()) throw new Error('not a regular file');
    yield* readChunks(handle, Math.min(chunkBytes, found.size + 1));
  } finally {
    await handle.close();
  }
}

/** Two buffers in turn: one is read into while the other is worked on. */
async function* readChunks(handle: FileHandle, size: number): AsyncGenerator<Buffer> {
  let [next, other] = [Buffer.allocUnsafeSlow(size), Buffer.allocUnsafeSlow(size)];
  const read = (into: Buffer) => {
    const reading = handle.read(into, 0, size, null);
    reading.catch(() => {});
    return reading;
  };
  let pending = read(next);
  for (;;) {
    const { bytesRead } = await pending;
    if (bytesRead === 0) return;
    const chunk = next.subarray(0, bytesRead);
    [next, other] = [other, next];
    pending = read(next);
    yield chunk;
  }
}
