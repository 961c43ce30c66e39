import { randomBytes } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import { link, lstat, mkdir, open, readFile, rename, statfs, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Effect } from '../../engine/define-step.js';
import { messageOf, StepError } from '../../engine/errors.js';
import { codeOf, realOf } from '../../engine/guard/paths.js';
import type { Scope } from '../../engine/scope.js';
import { removeTree } from '../trees/trees.js';
import type { FilesPort } from './port.js';

/** Files on behalf of `scope`. Throws StepError `path-invalid`, `file-not-found`, `file-exists`, `file-failed`, `path-changed`. */
export function filesPort(scope: Scope): FilesPort {
  /** The real path, once the guard has let it pass; every call then uses that path and no other. */
  const enter = async (path: string, effect: Effect): Promise<string> => {
    const real = resolved(path);
    await scope.access({ kind: 'path', path: real }, effect);
    return real;
  };
  /** For what concerns the name itself: a symlink is not followed, and belongs to the folder that it is in. */
  const enterName = async (path: string, effect: Effect): Promise<string> => {
    const folder = resolved(dirname(path));
    const name = join(folder, basename(path));
    const isLink = (await statOf(name))?.isSymbolicLink() === true;
    await scope.access({ kind: 'path', path: isLink ? folder : resolved(path) }, effect);
    return isLink ? name : resolved(path);
  };
  return {
    async read(path) {
      const real = await enter(path, 'read');
      return failing(path, () => readFile(real, 'utf8'));
    },
    async write(path, content, options = {}) {
      const real = await enter(path, options.replace === true ? 'modify' : 'create');
      await failing(path, () => writeAtomically(real, content, options.replace === true, options.mode ?? 0o644));
    },
    async exists(path) {
      return (await statOf(await enter(path, 'read'))) !== undefined;
    },
    async remove(path, options = {}) {
      const real = await enterName(path, 'destroy');
      const found = await statOf(real);
      if (found === undefined || (options.inode !== undefined && found.ino !== options.inode)) return;
      await failing(path, () => removeTree(real));
    },
    async inode(path) {
      return (await statOf(await enterName(path, 'read')))?.ino;
    },
    async free(path) {
      let at = await enter(path, 'read');
      while ((await statOf(at)) === undefined) at = dirname(at);
      const { bavail, bsize } = await statfs(at);
      return bavail * bsize;
    },
  };
}

function resolved(path: string): string {
  try {
    return realOf(path);
  } catch (error) {
    throw new StepError('path-invalid', messageOf(error), { cause: error });
  }
}

async function statOf(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined;
    throw error;
  }
}

/** A reader sees the old content or the new, never a part of it. */
async function writeAtomically(real: string, content: string, replace: boolean, mode: number): Promise<void> {
  const folder = dirname(real);
  await mkdir(folder, { recursive: true });
  const temporary = join(folder, `.${basename(real)}.${randomBytes(6).toString('hex')}`);
  const file = await open(temporary, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, mode);
  try {
    await file.writeFile(content);
    await file.sync();
    await file.close();
    // Somebody may have put a symlink into the path since the guard has seen it.
    if (realOf(folder) !== folder) throw new StepError('path-changed', `${folder} was replaced by a symlink while it was written to`);
    if (replace) await rename(temporary, real);
    else await link(temporary, real);
  } finally {
    await file.close().catch(() => undefined);
    await unlink(temporary).catch(() => undefined);
  }
}

async function failing<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof StepError) throw error;
    const code = codeOf(error);
    const kind = code === 'ENOENT' ? 'file-not-found' : code === 'EEXIST' ? 'file-exists' : 'file-failed';
    throw new StepError(kind, `${path}: ${messageOf(error)}`, { cause: error });
  }
}
