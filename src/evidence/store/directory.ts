import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { copyFile, link, open, readdir, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { messageOf } from '../../engine/errors.js';
import { makeFolder } from '../../engine/make-folder.js';
import { maxText, StoreError, type EvidenceStore, type StoredFile } from './port.js';

/**
 * A folder, perhaps on another machine's disk. What stands in it is complete: it is written under another name and linked, which never
 * replaces a file. `path` must exist: a share that is not mounted must not look like an empty store.
 */
export function directoryStore(path: string): EvidenceStore {
  const saying = async <T>(what: string, work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw error instanceof StoreError ? error : new StoreError(`${what}: ${messageOf(error)}`, { cause: error });
    }
  };
  return {
    where: path,
    list: (folder) =>
      saying(`cannot list ${join(path, folder)}`, async () => {
        await readdir(path);
        const entries = await readdir(join(path, folder), { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
          if (error.code === 'ENOENT') return [];
          throw error;
        });
        return entries.filter((entry) => entry.isFile() && !entry.name.startsWith('.')).map((entry) => ({ name: `${folder}/${entry.name}`, version: null }));
      }),
    read: ({ name }) =>
      saying(`cannot read ${join(path, name)}`, async () => {
        const handle = await open(join(path, name), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
        try {
          const { buffer, bytesRead } = await handle.read(Buffer.alloc(maxText + 1), 0, maxText + 1, 0);
          if (bytesRead > maxText) throw new StoreError(`${name} is larger than ${maxText} bytes`);
          return buffer.toString('utf8', 0, bytesRead);
        } finally {
          await handle.close();
        }
      }),
    create: (name, content) =>
      saying(`cannot write ${join(path, name)}`, async () => {
        await readdir(path);
        const target = join(path, name);
        const folder = dirname(target);
        await makeFolder(folder, 0o755);
        const fresh = join(folder, `.${basename(name)}.${randomBytes(6).toString('hex')}`);
        try {
          await write(fresh, content);
          await link(fresh, target);
        } finally {
          await rm(fresh, { force: true });
        }
        await flush(folder);
        return null;
      }),
  };
}

async function write(path: string, content: string | StoredFile): Promise<void> {
  if (typeof content !== 'string') await copyFile(content.file, path, constants.COPYFILE_EXCL);
  const handle = await open(path, typeof content === 'string' ? 'wx' : 'r+');
  try {
    if (typeof content === 'string') await handle.writeFile(content);
    await handle.chmod(0o444);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function flush(folder: string): Promise<void> {
  const handle = await open(folder, constants.O_RDONLY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
