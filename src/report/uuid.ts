import { createHash } from 'node:crypto';

/** The namespace of Muster's own names; a random UUID, fixed for ever. */
const namespace = Buffer.from('8f3d2c0e5b9a4d4f9a6c1e7b0d52c843', 'hex');

/** UUIDv5 (RFC 9562): the same name gives the same UUID, so that a report is the same whenever it is made. */
export function uuidOf(name: string): string {
  const bytes = createHash('sha1').update(namespace).update(name).digest().subarray(0, 16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x50;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
