import { chmod, copyFile, lstat, mkdir, mkdtemp, readdir, readFile, rename, rm, symlink } from 'node:fs/promises';
import { constants } from 'node:fs';
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { StepError } from '../../../engine/errors.js';
import { codeOf } from '../../postgres/errors.js';
import { canEnter, type Owner } from '../../postgres/owner.js';

/** A symlink `path` in the folder that leads to its neighbour `to`. */
export interface Link {
  readonly path: string;
  readonly to: string;
}

/**
 * One copy of `native` per version, in a folder that `owner` can reach: `in`, else the temporary folder. It is made aside and
 * renamed, so that it is there whole or not at all. Throws StepError `foreign-folder` when what stands there is not
 * ours alone to write: another user could have planted it.
 */
export async function cachedCopy(native: string, links: readonly Link[], owner: Owner, cacheIn?: string): Promise<string> {
  const parent = cacheIn ?? reachableFolder(owner);
  const packageJson = await readFile(join(dirname(native), 'package.json'), 'utf8');
  const files = await listed(native);
  const digest = createHash('sha256').update(packageJson).update(JSON.stringify(files)).digest('hex').slice(0, 12);
  const folder = join(parent, `muster-postgres-${digest}-${process.geteuid?.() ?? 0}`);
  if (await isWhole(folder, files, links)) return folder;
  const making = await mkdtemp(join(parent, '.muster-postgres-'));
  try {
    await chmod(making, 0o755);
    for (const below of new Set(files.map((file) => dirname(file.path)))) await mkdir(join(making, below), { recursive: true, mode: 0o755 });
    await Promise.all(files.map((file) => copyOne(join(native, file.path), join(making, file.path), file.mode)));
    for (const link of links) await symlink(link.to, join(making, link.path)).catch(unlessThere);
    await rm(folder, { recursive: true, force: true });
    await rename(making, folder);
  } catch (error) {
    await rm(making, { recursive: true, force: true });
    // Another run was faster.
    if (await isWhole(folder, files, links)) return folder;
    throw error;
  }
  return folder;
}

async function copyOne(from: string, to: string, mode: number): Promise<void> {
  await copyFile(from, to, constants.COPYFILE_FICLONE);
  await chmod(to, mode & 0o111 ? 0o755 : 0o644);
}

interface Listed {
  readonly path: string;
  readonly size: number;
  readonly mode: number;
}

async function listed(native: string): Promise<Listed[]> {
  const entries = await readdir(native, { withFileTypes: true, recursive: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name).slice(native.length + 1));
  return Promise.all(files.toSorted().map(async (path) => ({ path, ...pick(await lstat(join(native, path))) })));
}

function pick({ size, mode }: { size: number; mode: number }): { size: number; mode: number } {
  return { size, mode: mode & 0o777 };
}

/** Temporary folders are swept by age: a copy that has lost files counts as none and is made again. */
async function isWhole(folder: string, files: readonly Listed[], links: readonly Link[]): Promise<boolean> {
  let facts;
  try {
    facts = await lstat(folder);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false;
    throw error;
  }
  if (!facts.isDirectory() || facts.uid !== process.geteuid?.() || (facts.mode & 0o022) !== 0) {
    throw new StepError('foreign-folder', `${folder} should hold our copy of PostgreSQL, but it is not a folder that only we can write`, { hint: 'Somebody else made it: remove it, or set TMPDIR to a folder of your own.' });
  }
  const sizes = await Promise.all(files.map((file) => lstat(join(folder, file.path)).then(({ size }) => size === file.size, () => false)));
  const linked = await Promise.all(links.map((link) => lstat(join(folder, link.path)).then(() => true, () => false)));
  return sizes.every(Boolean) && linked.every(Boolean);
}

function unlessThere(error: unknown): void {
  if (codeOf(error) !== 'EEXIST') throw error;
}

/** The temporary folder, or the system's where TMPDIR is one that `owner` cannot enter. */
export function reachableFolder(owner: Owner): string {
  for (const folder of new Set([tmpdir(), '/tmp', '/var/tmp'])) {
    if (canEnter(folder, owner)) return folder;
  }
  throw new StepError('no-reachable-folder', `the user that PostgreSQL runs as can enter neither ${tmpdir()} nor /tmp nor /var/tmp`, { hint: 'Set TMPDIR to a folder that others may enter.' });
}
