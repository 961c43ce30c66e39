import { createHash } from 'node:crypto';
import { open, readdir, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Zip, ZipDeflate, ZipPassThrough } from 'fflate';
import { UsageError, messageOf } from '../engine/errors.js';
import { maxRatio } from './archive/names.js';
import { soundBundle } from './seal-bundle.js';

/** No time of the file system goes in, so that the same bundle gives the same bytes; zip knows none before this one, in whatever zone. */
const earliest = () => new Date(1980, 0, 1);
const chunkBytes = 256 * 1024;
/** What fits a zip without zip64. */
const maxZip = 0xffffffff;

/** Writes a sound bundle as a zip with its folder in it. Streams: memory does not grow with the bundle. Throws UsageError, UnsoundBundleError. */
export async function packBundle(folder: string, out: string): Promise<{ path: string; sha256: string }> {
  const { link } = await soundBundle(folder);
  const files = await filesBelow(folder);
  const total = (await Promise.all(files.map((file) => stat(join(folder, file))))).reduce((sum, { size }) => sum + size, 0);
  const prefix = link?.run ?? basename(folder);
  const packed = await writeZip(folder, files, prefix, out, false);
  // Logs can repeat themselves so much that a careful reader takes the zip for a bomb: then nothing is compressed.
  const { bytes, sha256 } = total > (packed.bytes * maxRatio) / 2 ? await rewrite(() => writeZip(folder, files, prefix, `${out}.stored`, true), out) : packed;
  if (bytes >= maxZip) {
    await rm(out, { force: true });
    throw new UsageError(`${folder} is too large for a zip (${Math.round(total / 1e9)} GB); use tar`);
  }
  return { path: out, sha256 };
}

async function rewrite<T>(write: () => Promise<T>, out: string): Promise<T> {
  const written = await write();
  await rename(`${out}.stored`, out);
  return written;
}

async function filesBelow(folder: string): Promise<string[]> {
  const found = await readdir(folder, { recursive: true, withFileTypes: true });
  return found.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1)).toSorted((a, b) => (a < b ? -1 : 1));
}

async function writeZip(folder: string, files: readonly string[], prefix: string, out: string, stored: boolean): Promise<{ bytes: number; sha256: string }> {
  const target = await open(out, 'wx', 0o644).catch((error: unknown) => {
    throw new UsageError(`cannot write the zip: ${messageOf(error)}`);
  });
  const hash = createHash('sha256');
  let bytes = 0;
  let failure: Error | null = null;
  let waiting: Uint8Array[] = [];
  const zip = new Zip((error, chunk) => {
    failure ??= error;
    waiting.push(chunk);
  });
  const flush = async () => {
    const chunks = waiting;
    waiting = [];
    if (failure !== null) throw failure;
    for (const chunk of chunks) {
      hash.update(chunk);
      bytes += chunk.length;
      await target.writeFile(chunk);
    }
  };
  try {
    for (const file of files) {
      const entry = stored ? new ZipPassThrough(`${prefix}/${file}`) : new ZipDeflate(`${prefix}/${file}`, { level: 6 });
      Object.assign(entry, { mtime: earliest(), os: 3, attrs: 0o100644 << 16 });
      zip.add(entry);
      for await (const [chunk, last] of fullChunks(join(folder, file))) {
        entry.push(chunk, last);
        await flush();
      }
    }
    zip.end();
    await flush();
    await target.sync();
  } catch (error) {
    await rm(out, { force: true });
    throw error;
  } finally {
    await target.close();
  }
  return { bytes, sha256: hash.digest('hex') };
}

/** Always cut at the same places: what deflate makes of a file depends on it. */
async function* fullChunks(file: string): AsyncGenerator<[chunk: Uint8Array, last: boolean]> {
  const handle = await open(file, 'r');
  try {
    for (let chunk = await fill(handle); ; ) {
      const next = chunk.length < chunkBytes ? undefined : await fill(handle);
      const last = next === undefined || next.length === 0;
      yield [chunk, last];
      if (last) return;
      chunk = next;
    }
  } finally {
    await handle.close();
  }
}

async function fill(handle: FileHandle): Promise<Uint8Array> {
  const buffer = new Uint8Array(chunkBytes);
  let filled = 0;
  while (filled < chunkBytes) {
    const { bytesRead } = await handle.read(buffer, filled, chunkBytes - filled, null);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return buffer.subarray(0, filled);
}
