import { open } from 'node:fs/promises';
import { tarSource } from './archive/tar.js';
import { zipSource } from './archive/zip.js';
import type { BundleSource } from './source.js';

/** The bundle in a `.zip` or `.tar.gz`, told by its first bytes; undefined for anything else, a folder among it. */
export async function openArchive(path: string): Promise<BundleSource | undefined> {
  const handle = await open(path, 'r');
  const first = Buffer.alloc(4);
  try {
    if (!(await handle.stat()).isFile()) return undefined;
    await handle.read(first, 0, 4, 0);
  } finally {
    await handle.close();
  }
  if (first.readUInt16BE() === 0x1f8b) return tarSource(path);
  return first.readUInt32BE() === 0x504b0304 ? zipSource(path) : undefined;
}
