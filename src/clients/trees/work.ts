import { constants, copyFileSync, lchownSync, lstatSync, mkdirSync, readdirSync, readlinkSync, symlinkSync, unlinkSync, type Dirent } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';

/** Several threads work on one tree: which of them this one is, from 0, and how many. */
export interface Share {
  readonly nth: number;
  readonly of: number;
}

export interface CopyTree {
  readonly from: string;
  /** A folder that is there and empty. */
  readonly to: string;
  readonly share: Share;
  /** Who owns the copy; null: who copies. */
  readonly owner: { readonly uid: number | null; readonly gid: number | null };
  /** The source changes while it is read: files may vanish. */
  readonly living?: boolean;
  readonly except?: Exceptions;
}

/** Paths are relative to the folder, with `/`. */
export interface Exceptions {
  readonly skip: ReadonlySet<string>;
  /** Files and folders of which the name begins so, wherever they are. */
  readonly skipNames: readonly string[];
  /** Folders that are kept without what is in them. */
  readonly empty: ReadonlySet<string>;
}

export type Task = ({ readonly do: 'copy' } & CopyTree) | { readonly do: 'empty'; readonly path: string; readonly share: Share } | { readonly do: 'remove'; readonly path: string };

export interface Answer {
  readonly bytes: number;
  readonly error?: { readonly code: unknown; readonly message: string };
}

export async function perform(task: Task): Promise<number> {
  if (task.do === 'copy') return copyEntries(task, '');
  if (task.do === 'empty') emptyFolder(task.path, task.share);
  else await rm(task.path, { recursive: true, force: true });
  return 0;
}

/** Removes files and leaves folders. Follows no symlink, also where the tree itself is one. */
function emptyFolder(path: string, share: Share): void {
  if (!lstatSync(path).isDirectory()) return;
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    const below = join(path, entry.name);
    if (entry.isDirectory()) emptyFolder(below, share);
    else if (isOurs(below, share)) unlinkSync(below);
  }
}

function copyEntries(tree: CopyTree, path: string): number {
  let bytes = 0;
  for (const entry of readdirSync(join(tree.from, path), { withFileTypes: true })) bytes += copyEntry(tree, join(path, entry.name), entry);
  return bytes;
}

function copyEntry(tree: CopyTree, path: string, entry: Dirent): number {
  if (tree.except?.skip.has(path) === true || tree.except?.skipNames.some((start) => entry.name.startsWith(start)) === true) return 0;
  const [from, to] = [join(tree.from, path), join(tree.to, path)];
  if (entry.isDirectory()) return copyFolder(tree, path, to);
  if (!isOurs(path, tree.share)) return 0;
  if (entry.isFile()) return copyFile(tree, from, to);
  if (entry.isSymbolicLink()) {
    symlinkSync(readlinkSync(from), to);
    give(to, tree);
  }
  return 0;
}

/** Every thread goes through all folders; the first one there makes it. */
function copyFolder(tree: CopyTree, path: string, to: string): number {
  try {
    mkdirSync(to, { mode: 0o700 });
  } catch (error) {
    if (tree.share.of === 1 || (error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  const bytes = tree.except?.empty.has(path) === true ? 0 : copyEntries(tree, path);
  give(to, tree);
  return bytes;
}

/** By the path alone: threads may find different entries in a folder that changes. */
function isOurs(path: string, { nth, of }: Share): boolean {
  if (of === 1) return true;
  let hash = 0;
  for (let at = 0; at < path.length; at += 1) hash = (hash * 31 + path.charCodeAt(at)) >>> 0;
  return hash % of === nth;
}

/** Bytes of the file as it was found. */
function copyFile(tree: CopyTree, from: string, to: string): number {
  try {
    const { size } = lstatSync(from);
    // It copies the mode too.
    copyFileSync(from, to, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
    give(to, tree);
    return size;
  } catch (error) {
    if (tree.living === true && (error as NodeJS.ErrnoException).code === 'ENOENT') return 0;
    throw error;
  }
}

function give(path: string, { owner }: CopyTree): void {
  if (owner.uid !== null && owner.gid !== null) lchownSync(path, owner.uid, owner.gid);
}
