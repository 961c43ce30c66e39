import { constants, copyFileSync, lchownSync, lstatSync, mkdirSync, readdirSync, readlinkSync, rmSync, symlinkSync, type Dirent } from 'node:fs';
import { join } from 'node:path';

export interface CopyTree {
  readonly from: string;
  readonly to: string;
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

export type Task = ({ readonly do: 'copy' } & CopyTree) | { readonly do: 'remove'; readonly path: string };

export interface Answer {
  readonly bytes: number;
  readonly error?: { readonly code: unknown; readonly message: string };
}

export function perform(task: Task): number {
  if (task.do === 'copy') return copyFolder(task, '');
  rmSync(task.path, { recursive: true, force: true });
  return 0;
}

function copyFolder(tree: CopyTree, path: string): number {
  const to = join(tree.to, path);
  mkdirSync(to, { mode: 0o700 });
  let bytes = 0;
  for (const entry of readdirSync(join(tree.from, path), { withFileTypes: true })) bytes += copyEntry(tree, join(path, entry.name), entry);
  give(to, tree);
  return bytes;
}

function copyEntry(tree: CopyTree, path: string, entry: Dirent): number {
  if (tree.except?.skip.has(path) === true || tree.except?.skipNames.some((start) => entry.name.startsWith(start)) === true) return 0;
  const [from, to] = [join(tree.from, path), join(tree.to, path)];
  if (entry.isDirectory()) {
    if (tree.except?.empty.has(path) !== true) return copyFolder(tree, path);
    mkdirSync(to, { mode: 0o700 });
  } else if (entry.isSymbolicLink()) symlinkSync(readlinkSync(from), to);
  else if (entry.isFile()) return copyFile(tree, from, to);
  else return 0;
  give(to, tree);
  return 0;
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
