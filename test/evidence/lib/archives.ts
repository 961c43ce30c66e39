import { crc32, deflateRawSync, gzipSync } from 'node:zlib';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { filesOf } from './bundle.js';

/** One entry of a zip, with whatever lies a test wants to tell about it. */
export interface ZipDraft {
  readonly name: string | Uint8Array;
  readonly data: Buffer;
  readonly method?: number;
  readonly flags?: number;
  readonly mode?: number;
  readonly extra?: Buffer;
  /** As the archive says. */
  readonly unpacked?: number;
  readonly crc?: number;
  /** The name in the local header, where it differs. */
  readonly localName?: string;
  /** Put before the local header. */
  readonly before?: Buffer;
  /** The data of the first entry is used again. */
  readonly overlap?: boolean;
}

export function zipOf(drafts: readonly ZipDraft[], { comment = '', count = drafts.length, tail = Buffer.alloc(0) }: { comment?: string; count?: number; tail?: Buffer } = {}): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  const put = (...buffers: Buffer[]) => {
    for (const buffer of buffers) at += parts.push(buffer) && buffer.length;
  };
  for (const draft of drafts) {
    const { method = 8, flags = 0x0800, mode = 0o100644, extra = Buffer.alloc(0), crc = crc32(draft.data), unpacked = draft.data.length } = draft;
    const name = bytesOf(draft.name);
    const packed = method === 8 ? deflateRawSync(draft.data) : draft.data;
    const facts = (from: number, header: Buffer, nameBytes: number) => {
      for (const [n, value] of [20, flags, method, 0, 0x21].entries()) header.writeUInt16LE(value, from + n * 2);
      for (const [n, value] of [crc, packed.length, unpacked].entries()) header.writeUInt32LE(value, from + 10 + n * 4);
      header.writeUInt16LE(nameBytes, from + 22);
      header.writeUInt16LE(extra.length, from + 24);
      return header;
    };
    if (draft.before !== undefined) put(draft.before);
    const offset = draft.overlap === true ? 0 : at;
    if (draft.overlap !== true) {
      const local = Buffer.alloc(30);
      local.writeUInt32LE(0x04034b50);
      const localName = Buffer.from(draft.localName ?? name);
      put(facts(4, local, localName.length), localName, extra, packed);
    }
    const header = Buffer.alloc(46);
    header.writeUInt32LE(0x02014b50);
    header.writeUInt16LE(0x0314, 4);
    facts(6, header, name.length);
    header.writeUInt32LE((mode << 16) >>> 0, 38);
    header.writeUInt32LE(offset, 42);
    directory.push(header, name, extra);
  }
  const start = at;
  put(...directory);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50);
  end.writeUInt16LE(count, 8);
  end.writeUInt16LE(count, 10);
  end.writeUInt32LE(at - start, 12);
  end.writeUInt32LE(start, 16);
  end.writeUInt16LE(comment.length, 20);
  put(end, Buffer.from(comment), tail);
  return Buffer.concat(parts);
}

export interface TarDraft {
  readonly name: string | Uint8Array;
  readonly data?: Buffer;
  readonly type?: string;
  readonly link?: string;
  /** As the header says. */
  readonly size?: string;
  readonly badSum?: boolean;
}

export function tarOf(drafts: readonly TarDraft[], { tail = Buffer.alloc(1024) }: { tail?: Buffer } = {}): Buffer {
  return Buffer.concat([...drafts.flatMap(tarEntry), tail]);
}

export const tarGz = (drafts: readonly TarDraft[], tail?: Buffer): Buffer => gzipSync(tarOf(drafts, tail === undefined ? {} : { tail }));

function tarEntry({ name, data = Buffer.alloc(0), type = '0', link = '', size, badSum }: TarDraft): Buffer[] {
  const header = Buffer.alloc(512);
  bytesOf(name).copy(header, 0, 0, 100);
  header.write('0000644\0', 100);
  header.write('0000000\0', 108);
  header.write('0000000\0', 116);
  header.write(size ?? `${data.length.toString(8).padStart(11, '0')}\0`, 124);
  header.write('00000000000\0', 136);
  header.write(type, 156);
  header.write(link, 157);
  header.write('ustar\0' + '00', 257);
  header.fill(' ', 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0) + (badSum === true ? 1 : 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return [header, data, Buffer.alloc((512 - (data.length % 512)) % 512)];
}

/** A bundle's files as entries below `folder`. */
export function entriesOf(bundle: string, folder = 'drill'): { name: string; data: Buffer }[] {
  return filesOf(bundle).map((path) => ({ name: folder === '' ? path : `${folder}/${path}`, data: readFileSync(join(bundle, path)) }));
}

const bytesOf = (name: string | Uint8Array): Buffer => (typeof name === 'string' ? Buffer.from(name) : Buffer.from(name));
