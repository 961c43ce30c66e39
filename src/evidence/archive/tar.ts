import { createReadStream } from 'node:fs';
import { basename } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { stat } from 'node:fs/promises';
import { maxEntries, unexpectedFolder, type BundleSource, type SourceEntry } from '../source.js';
import { ArchiveError, ArchiveNames, archiveDefect, checkGrowth } from './names.js';

const block = 512;
const maxNameBytes = 64 * 1024;
/** What pax headers may say: nothing that changes how much is read or where it leads. */
const harmless = /^(?:path|[acm]time|uid|gid|uname|gname|comment|(?:LIBARCHIVE|SCHILY)\.(?!.*(?:filetype|realsize)).*)$/;

const refuse = (message: string): never => {
  throw new ArchiveError('archive-form', message);
};

/** Reads a gzipped tar (ustar, GNU long names, pax) as a stream: nothing of it is unpacked to disk. */
export async function tarSource(path: string): Promise<BundleSource> {
  return {
    name: null,
    async *entries(say) {
      const { size } = await stat(path);
      const input = createReadStream(path, { highWaterMark: 256 * 1024 });
      const gunzip = createGunzip({ chunkSize: 256 * 1024 });
      // What goes wrong shows in `gunzip`.
      const feeding = pipeline(input, gunzip).catch(() => {});
      const reader = new ByteReader(gunzip, () => gunzip.bytesWritten);
      try {
        const names = new ArchiveNames(basename(path), say);
        for await (const { name: raw, bytes, type } of headers(reader)) {
          const name = names.take(raw, type === 'folder');
          if (name === undefined) continue;
          if (type === 'other') say({ code: 'not-regular', file: name, detail: 'a link, a device or something else that is no regular file' });
          else if (type === 'folder') {
            const defect = name === '' ? undefined : unexpectedFolder(name);
            if (defect !== undefined) say(defect);
          } else yield { path: name, bytes, chunks: () => reader.upTo(bytes) } satisfies SourceEntry;
        }
        if (gunzip.bytesWritten !== size) refuse('something follows the compressed archive');
      } catch (error) {
        say(archiveDefect(error, basename(path)));
      } finally {
        gunzip.destroy();
        await feeding;
      }
    },
  };
}

interface Header {
  readonly name: Buffer;
  readonly bytes: number;
  readonly type: 'file' | 'folder' | 'other';
}

/** Every entry that is not about the next one. What the caller leaves of an entry is skipped. */
async function* headers(reader: ByteReader): AsyncGenerator<Header> {
  let longName: Buffer | undefined;
  for (let count = 0; ; count += 1) {
    if (count > maxEntries * 2) throw new ArchiveError('too-large', `more than ${maxEntries} entries`);
    const header = await reader.exactly(block);
    if (header.every((byte) => byte === 0)) return reader.onlyZeros();
    checkSum(header);
    const bytes = number(header, 124, 12);
    const type = String.fromCharCode(header[156] ?? 0);
    const end = reader.offset + Math.ceil(bytes / block) * block;
    if (type === 'L' || type === 'x') {
      if (bytes > maxNameBytes) throw new ArchiveError('too-large', 'a name is too long');
      const content = await reader.exactly(bytes);
      longName = type === 'L' ? untilZero(content) : (paxPath(content) ?? longName);
    } else {
      if (type === 'g' || type === 'S') refuse(`an entry of the type ${type} is not taken`);
      const name = longName ?? ustarName(header);
      longName = undefined;
      yield { name, bytes, type: type === '0' || type === '\0' ? 'file' : type === '5' ? 'folder' : 'other' };
    }
    await reader.skip(end - reader.offset);
  }
}

function untilZero(field: Buffer): Buffer {
  const end = field.indexOf(0);
  return end < 0 ? field : field.subarray(0, end);
}

function ustarName(header: Buffer): Buffer {
  const name = untilZero(header.subarray(0, 100));
  // GNU's own format has times where ustar has the prefix.
  const prefix = header.subarray(257, 263).toString('latin1') === 'ustar\0' ? untilZero(header.subarray(345, 500)) : Buffer.alloc(0);
  return prefix.length === 0 ? name : Buffer.concat([prefix, Buffer.from('/'), name]);
}

function number(header: Buffer, at: number, length: number): number {
  const text = header.subarray(at, at + length).toString('latin1').replace(/[\0 ]+$/, '').replace(/^ +/, '');
  if (!/^[0-7]{1,12}$/.test(text)) refuse('a size is not an octal number; entries of 8 GiB and more are not taken');
  return Number.parseInt(text, 8);
}

function checkSum(header: Buffer): void {
  const sum = header.reduce((total, byte, at) => total + (at >= 148 && at < 156 ? 0x20 : byte), 0);
  if (sum !== number(header, 148, 8)) refuse('a header has a wrong checksum');
}

/** The `path` of a pax header. Throws ArchiveError on whatever would change how the archive is read. */
function paxPath(content: Buffer): Buffer | undefined {
  let path: Buffer | undefined;
  for (let at = 0; at < content.length; ) {
    const space = content.indexOf(0x20, at);
    const length = Number(content.subarray(at, space).toString('latin1'));
    const equals = content.indexOf(0x3d, space);
    if (space < 0 || !Number.isInteger(length) || length < 5 || at + length > content.length || equals < 0 || equals >= at + length || content[at + length - 1] !== 0x0a) return refuse('a pax header is broken');
    const key = content.subarray(space + 1, equals).toString('latin1');
    if (!harmless.test(key)) refuse(`a pax header with ${JSON.stringify(key)} is not taken`);
    if (key === 'path') path = content.subarray(equals + 1, at + length - 1);
    at += length;
  }
  return path;
}

/** Reads a stream by bytes, and watches how much it grows. */
class ByteReader {
  offset = 0;
  readonly #chunks: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);
  #received = 0;

  constructor(stream: AsyncIterable<Buffer>, private readonly packed: () => number) {
    this.#chunks = stream[Symbol.asyncIterator]();
  }

  /** At most `max` bytes, at least one; undefined at the end. */
  async #some(max: number): Promise<Buffer | undefined> {
    if (this.#rest.length === 0) {
      const { value, done } = await this.#chunks.next();
      if (done === true) return undefined;
      this.#rest = value;
      this.#received += value.length;
      checkGrowth(this.#received, this.packed());
    }
    const taken = this.#rest.subarray(0, max);
    this.#rest = this.#rest.subarray(taken.length);
    this.offset += taken.length;
    return taken;
  }

  async *upTo(bytes: number): AsyncGenerator<Buffer> {
    for (let left = bytes; left > 0; ) {
      const chunk = await this.#some(left);
      if (chunk === undefined) return refuse('the archive is cut off');
      left -= chunk.length;
      yield chunk;
    }
  }

  async exactly(bytes: number): Promise<Buffer> {
    const parts: Buffer[] = [];
    for await (const chunk of this.upTo(bytes)) parts.push(chunk);
    return Buffer.concat(parts);
  }

  async skip(bytes: number): Promise<void> {
    for await (const _ of this.upTo(bytes)) continue;
  }

  async onlyZeros(): Promise<void> {
    for (let chunk = await this.#some(block); chunk !== undefined; chunk = await this.#some(block)) if (chunk.some((byte) => byte !== 0)) refuse('something follows the end of the archive');
  }
}
