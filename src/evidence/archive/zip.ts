import { open, type FileHandle } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { crc32, createInflateRaw } from 'node:zlib';
import { basename } from 'node:path';
import { maxEntries, unexpectedFolder, type BundleSource } from '../source.js';
import { ArchiveError, ArchiveNames, archiveDefect, checkGrowth } from './names.js';

/** One line of the central directory, held against the local header. */
interface ZipEntry {
  readonly name: Buffer;
  readonly flags: number;
  readonly method: number;
  readonly crc: number;
  readonly packed: number;
  readonly unpacked: number;
  readonly kind: 'file' | 'folder' | 'other';
  /** Of the local header. */
  readonly offset: number;
  /** Of the data. */
  start: number;
}

const endBytes = 22;
const maxDirectory = 32 * 1024 * 1024;
/** Timestamps, owners, NTFS times. Others can hold a second name, a size of 64 bits or a key. */
const harmlessExtras = new Set([0x5455, 0x7875, 0x5855, 0x000a]);

const refuse = (message: string): never => {
  throw new ArchiveError('archive-form', message);
};

/**
 * Reads a zip (APPNOTE 6.3) of the plainest form only: one disk, no comment, no encryption, no zip64, stored or deflated,
 * and every byte of it accounted for once, so that no two tools can see different files in it.
 */
export async function zipSource(path: string): Promise<BundleSource> {
  return {
    name: null,
    async *entries(say) {
      const handle = await open(path, 'r');
      try {
        const names = new ArchiveNames(basename(path), say);
        for (const entry of await readDirectory(handle)) {
          const name = names.take(entry.name, entry.kind === 'folder');
          if (name === undefined) continue;
          if (entry.kind === 'other') say({ code: 'not-regular', file: name, detail: 'not a regular file' });
          else if (entry.kind === 'folder') {
            const defect = name === '' ? undefined : unexpectedFolder(name);
            if (defect !== undefined) say(defect);
          } else yield { path: name, bytes: entry.unpacked, chunks: () => content(handle, entry) };
        }
      } catch (error) {
        say(archiveDefect(error, basename(path)));
      } finally {
        await handle.close();
      }
    },
  };
}

async function exactly(handle: FileHandle, offset: number, bytes: number): Promise<Buffer> {
  const buffer = Buffer.alloc(bytes);
  for (let done = 0; done < bytes; ) {
    const { bytesRead } = await handle.read(buffer, done, bytes - done, offset + done);
    if (bytesRead === 0) refuse('the archive is cut off');
    done += bytesRead;
  }
  return buffer;
}

async function readDirectory(handle: FileHandle): Promise<ZipEntry[]> {
  const { size } = await handle.stat();
  if (size < endBytes) refuse('the archive is cut off');
  const end = await exactly(handle, size - endBytes, endBytes);
  if (end.readUInt32LE() !== 0x06054b50 || end.readUInt16LE(20) !== 0) refuse('it does not end with the end of the central directory; a comment or anything after it is not taken');
  const [count, length, offset] = [end.readUInt16LE(10), end.readUInt32LE(12), end.readUInt32LE(16)];
  if (count === 0xffff || length === 0xffffffff || offset === 0xffffffff) refuse('zip64 is not taken');
  if (end.readUInt32LE(4) !== 0 || end.readUInt16LE(8) !== count) refuse('an archive of several parts is not taken');
  if (count > maxEntries || length > maxDirectory) throw new ArchiveError('too-large', `more than ${maxEntries} entries`);
  if (offset + length !== size - endBytes) refuse('the central directory does not stand where the archive says');
  const entries = parseDirectory(await exactly(handle, offset, length), count);
  await checkLayout(handle, entries, offset);
  checkGrowth(entries.reduce((sum, { unpacked }) => sum + unpacked, 0), size);
  return entries;
}

function parseDirectory(directory: Buffer, count: number): ZipEntry[] {
  const entries: ZipEntry[] = [];
  let at = 0;
  for (let n = 0; n < count; n += 1) {
    if (at + 46 > directory.length || directory.readUInt32LE(at) !== 0x02014b50) refuse('the central directory is broken');
    const [nameBytes, extraBytes, commentBytes] = [directory.readUInt16LE(at + 28), directory.readUInt16LE(at + 30), directory.readUInt16LE(at + 32)];
    const next = at + 46 + nameBytes + extraBytes + commentBytes;
    if (next > directory.length) refuse('the central directory is broken');
    const name = Buffer.from(directory.subarray(at + 46, at + 46 + nameBytes));
    const flags = directory.readUInt16LE(at + 8);
    if ((flags & ~0x080e) !== 0) refuse(`an encrypted or otherwise special entry (flags ${flags.toString(16)}) is not taken`);
    if ((flags & 0x0800) === 0 && name.some((byte) => byte >= 0x80)) refuse('a name that is not said to be UTF-8 is not taken');
    checkExtras(directory.subarray(at + 46 + nameBytes, at + 46 + nameBytes + extraBytes));
    const method = directory.readUInt16LE(at + 10);
    if (method !== 0 && method !== 8) refuse(`compression method ${method} is not taken`);
    const [packed, unpacked, offset] = [directory.readUInt32LE(at + 20), directory.readUInt32LE(at + 24), directory.readUInt32LE(at + 42)];
    if (packed === 0xffffffff || unpacked === 0xffffffff || offset === 0xffffffff) refuse('zip64 is not taken');
    if (commentBytes !== 0 || directory.readUInt16LE(at + 34) !== 0) refuse('an entry with a comment, or on another disk, is not taken');
    const mode = directory.readUInt16LE(at + 4) >> 8 === 3 ? directory.readUInt16LE(at + 40) & 0o170000 : 0;
    const slash = name.at(-1) === 0x2f;
    const kind = mode !== 0 && mode !== 0o100000 && mode !== 0o040000 ? 'other' : slash || mode === 0o040000 ? 'folder' : 'file';
    if (kind === 'folder' && (unpacked !== 0 || !slash)) refuse('a folder with content is not taken');
    entries.push({ name, flags, method, crc: directory.readUInt32LE(at + 16), packed, unpacked, kind, offset, start: 0 });
    at = next;
  }
  if (at !== directory.length) refuse('the central directory is broken');
  return entries;
}

function checkExtras(extras: Buffer): void {
  for (let at = 0; at < extras.length; ) {
    if (at + 4 > extras.length) return refuse('an extra field is broken');
    const id = extras.readUInt16LE(at);
    if (id === 1) refuse('zip64 is not taken');
    if (!harmlessExtras.has(id)) refuse(`an extra field of the type 0x${id.toString(16).padStart(4, '0')} is not taken`);
    at += 4 + extras.readUInt16LE(at + 2);
  }
}

/** Local headers say the same as the directory, and stand one after the other without a gap or an overlap. */
async function checkLayout(handle: FileHandle, entries: readonly ZipEntry[], directory: number): Promise<void> {
  let at = 0;
  for (const entry of entries.toSorted((a, b) => a.offset - b.offset)) {
    if (entry.offset !== at) refuse('its entries overlap, or something stands between them');
    const local = await exactly(handle, at, 30);
    if (local.readUInt32LE() !== 0x04034b50) refuse('a local header is not where the directory says');
    const extraBytes = local.readUInt16LE(28);
    const rest = await exactly(handle, at + 30, entry.name.length + extraBytes);
    const described = (entry.flags & 8) !== 0;
    const facts = [local.readUInt32LE(14), local.readUInt32LE(18), local.readUInt32LE(22)];
    const same = [entry.crc, entry.packed, entry.unpacked].every((fact, n) => facts[n] === fact || (described && facts[n] === 0));
    if (local.readUInt16LE(6) !== entry.flags || local.readUInt16LE(8) !== entry.method || local.readUInt16LE(26) !== entry.name.length || !rest.subarray(0, entry.name.length).equals(entry.name) || !same) refuse('a local header and the directory say different things');
    checkExtras(rest.subarray(entry.name.length));
    entry.start = at + 30 + rest.length;
    at = entry.start + entry.packed;
    if (described) at += await descriptorBytes(handle, entry, at);
  }
  if (at !== directory) refuse('something stands between the last entry and the central directory');
}

/** The data descriptor behind the data repeats the directory; its signature may be left out. */
async function descriptorBytes(handle: FileHandle, entry: ZipEntry, at: number): Promise<number> {
  const found = await exactly(handle, at, 16);
  const skip = found.readUInt32LE() === 0x08074b50 ? 4 : 0;
  if (found.readUInt32LE(skip) !== entry.crc || found.readUInt32LE(skip + 4) !== entry.packed || found.readUInt32LE(skip + 8) !== entry.unpacked) refuse('a data descriptor and the directory say different things');
  return 12 + skip;
}

async function* content(handle: FileHandle, entry: ZipEntry): AsyncGenerator<Buffer> {
  let crc = 0;
  let bytes = 0;
  for await (const chunk of entry.method === 0 ? slices(handle, entry) : inflated(handle, entry)) {
    bytes += chunk.length;
    if (bytes > entry.unpacked) throw new Error('it unpacks to more than the archive says');
    crc = crc32(chunk, crc);
    yield chunk;
  }
  if (bytes !== entry.unpacked || crc !== entry.crc) throw new Error('it does not unpack to what the archive says (CRC-32 or size)');
}

async function* slices(handle: FileHandle, { start, packed }: ZipEntry): AsyncGenerator<Buffer> {
  for (let done = 0; done < packed; ) {
    const chunk = await exactly(handle, start + done, Math.min(256 * 1024, packed - done));
    done += chunk.length;
    yield chunk;
  }
}

async function* inflated(handle: FileHandle, entry: ZipEntry): AsyncGenerator<Buffer> {
  const inflate = createInflateRaw({ chunkSize: 256 * 1024 });
  // What goes wrong shows in `inflate`.
  const feeding = pipeline(Readable.from(slices(handle, entry)), inflate).catch(() => {});
  try {
    yield* inflate as AsyncIterable<Buffer>;
    if (inflate.bytesWritten !== entry.packed) throw new Error('something follows its compressed data');
  } finally {
    inflate.destroy();
    await feeding;
  }
}
