import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';

export interface FileFacts {
  readonly size: number;
  readonly modifiedMs: number;
  readonly inode: number;
  readonly uid: number;
}

/** undefined for what is no file, or is not there (any more). */
export async function fileFacts(path: string): Promise<FileFacts | undefined> {
  const facts = await lstat(path).catch(() => undefined);
  return facts === undefined || facts.isDirectory() ? undefined : { size: facts.size, modifiedMs: facts.mtimeMs, inode: facts.ino, uid: facts.uid };
}

/** Every file below `folder` by its path from `root`, but not what lies in `except`. Throws when the folder cannot be read. */
export async function listFiles(root: string, folder = '', except: ReadonlySet<string> = new Set()): Promise<Map<string, FileFacts>> {
  const found = new Map<string, FileFacts>();
  for (const entry of await readdir(join(root, folder), { withFileTypes: true })) {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (except.has(path)) continue;
    if (entry.isDirectory()) for (const [name, facts] of await listFiles(root, path, except)) found.set(name, facts);
    else {
      const facts = await fileFacts(join(root, path));
      if (facts !== undefined) found.set(path, facts);
    }
  }
  return found;
}

export interface FileChange {
  readonly path: string;
  readonly change: 'file added' | 'file changed' | 'file removed';
  readonly before: FileFacts | undefined;
  readonly after: FileFacts | undefined;
}

export function compareFiles(before: ReadonlyMap<string, FileFacts>, after: ReadonlyMap<string, FileFacts>): FileChange[] {
  const found: FileChange[] = [];
  for (const [path, facts] of after) {
    const was = before.get(path);
    if (was === undefined) found.push({ path, change: 'file added', before: was, after: facts });
    else if (was.size !== facts.size || was.modifiedMs !== facts.modifiedMs || was.inode !== facts.inode) found.push({ path, change: 'file changed', before: was, after: facts });
  }
  for (const [path, facts] of before) if (!after.has(path)) found.push({ path, change: 'file removed', before: facts, after: undefined });
  return found;
}
