import { open } from 'node:fs/promises';

/** What the first page of a WAL segment says of itself. */
export interface WalHeader {
  readonly timeline: number;
  /** Position of the page, in bytes from the start of the WAL. */
  readonly address: bigint;
  readonly systemId: string;
  readonly segmentSize: number;
}

const long = 0x0002;

/**
 * The long header of a segment's first page: magic, info (uint16), timeline (uint32), address (uint64), rem_len (uint32), padding,
 * system identifier (uint64), segment size (uint32), in the byte order of the machine that wrote it
 * (src/include/access/xlog_internal.h, XLogLongPageHeaderData). undefined for what is no WAL.
 */
export async function readWalHeader(path: string): Promise<WalHeader | undefined> {
  let file;
  try {
    file = await open(path, 'r');
  } catch {
    return undefined;
  }
  try {
    const page = Buffer.alloc(40);
    if ((await file.read(page, 0, 40, 0)).bytesRead < 40) return undefined;
    const little = page.readUInt8(1) === 0xd1;
    if (!little && page.readUInt8(0) !== 0xd1) return undefined;
    const u16 = (at: number) => (little ? page.readUInt16LE(at) : page.readUInt16BE(at));
    const u32 = (at: number) => (little ? page.readUInt32LE(at) : page.readUInt32BE(at));
    const u64 = (at: number) => (little ? page.readBigUInt64LE(at) : page.readBigUInt64BE(at));
    if ((u16(2) & long) === 0) return undefined;
    return { timeline: u32(4), address: u64(8), systemId: u64(24).toString(), segmentSize: u32(32) };
  } finally {
    await file.close();
  }
}

const segment = /^([0-9A-F]{8})([0-9A-F]{8})([0-9A-F]{8})/;

/** Does the header belong under this name? */
export function fitsName(name: string, header: WalHeader): boolean {
  const [, timeline = '', high = '', low = ''] = segment.exec(name) ?? [];
  const address = (BigInt(`0x${high}`) << 32n) + BigInt(`0x${low}`) * BigInt(header.segmentSize);
  return header.timeline === Number.parseInt(timeline, 16) && header.address === address;
}
