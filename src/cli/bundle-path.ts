import { readdir, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { UsageError } from '../engine/errors.js';
import { openArchive } from '../evidence/archive-reader.js';
import { visible } from '../report/visible.js';

/** Where the one bundle is that the command line names: a folder or an archive. Throws UsageError when there is none. */
export async function bundlePath(named: string, cwd: string): Promise<string> {
  const path = resolve(cwd, named);
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) throw new UsageError(`there is no bundle ${visible(named)}`);
  const fits = found.isDirectory() ? await isBundle(path) : found.isFile() && (await openArchive(path)) !== undefined;
  if (!fits) throw new UsageError(`${visible(named)} is no bundle of evidence; name the folder, the .zip or the .tar.gz of one`);
  return path;
}

/** Also one from which files were taken away. */
export async function isBundle(folder: string): Promise<boolean> {
  const names = new Set(await readdir(folder));
  return ['bagit.txt', 'bag-info.txt', 'manifest-sha256.txt', 'tagmanifest-sha256.txt'].some((name) => names.has(name)) || (names.has('data') && names.has('README.txt'));
}
