import { constants } from 'node:fs';
import { copyFile, lstat, mkdir, readdir, readlink, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { atOnce } from '../../../engine/at-once.js';
import { codeOf } from '../errors.js';
import { giveTo } from '../conf.js';
import type { Owner } from '../owner.js';

const copiesAtOnce = 8;

export interface CopyOptions {
  readonly owner: Owner;
  readonly signal: AbortSignal;
  /** Paths relative to the folder, with `/`: `skip` leaves out, `empty` keeps a folder without what is in it. */
  readonly rule?: (path: string) => 'copy' | 'skip' | 'empty';
  /** The source changes while it is read: files may vanish. */
  readonly living?: boolean;
}

/** Copies a folder with modes and symlinks (as they are) into a new folder `to`. Returns the bytes of its files, as they were found. */
export async function copyFolder(from: string, to: string, options: CopyOptions): Promise<number> {
  const files: { readonly from: string; readonly to: string; readonly size: number }[] = [];
  await mkdir(to, { mode: 0o700 });
  await walk(from, to, '', options, files);
  const sizes = await atOnce(files, copiesAtOnce, (file) => {
    options.signal.throwIfAborted();
    return copyOne(file, options);
  });
  await giveTo(to, options.owner);
  return sizes.reduce((sum, size) => sum + size, 0);
}

async function walk(from: string, to: string, path: string, options: CopyOptions, files: { from: string; to: string; size: number }[]): Promise<void> {
  options.signal.throwIfAborted();
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const below = path === '' ? entry.name : `${path}/${entry.name}`;
    const rule = options.rule?.(below) ?? 'copy';
    if (rule === 'skip') continue;
    const source = join(from, entry.name);
    const copy = join(to, entry.name);
    if (entry.isDirectory()) {
      await mkdir(copy, { mode: 0o700 });
      if (rule === 'copy') await walk(source, copy, below, options, files);
      await giveTo(copy, options.owner);
    } else if (entry.isSymbolicLink()) {
      await symlink(await readlink(source), copy);
      await giveTo(copy, options.owner);
    } else if (entry.isFile()) {
      const facts = await lstat(source).catch((error: unknown) => vanished(error, options));
      if (facts !== undefined) files.push({ from: source, to: copy, size: facts.size });
    }
  }
}

async function copyOne(file: { from: string; to: string; size: number }, options: CopyOptions): Promise<number> {
  try {
    // It copies the mode too.
    await copyFile(file.from, file.to, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
  } catch (error) {
    vanished(error, options);
    return 0;
  }
  await giveTo(file.to, options.owner);
  return file.size;
}

function vanished(error: unknown, options: CopyOptions): undefined {
  if (options.living === true && codeOf(error) === 'ENOENT') return undefined;
  throw error;
}
