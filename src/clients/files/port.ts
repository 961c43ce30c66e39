/** Files inside the boundary. Paths are resolved (.., symlinks) before the guard sees them. */
export interface FilesPort {
  read(path: string): Promise<string>;
  /** Throws when the file exists unless `replace`. */
  write(path: string, content: string, options?: { readonly replace?: boolean; readonly mode?: number }): Promise<void>;
  exists(path: string): Promise<boolean>;
  /** Removes a file or a folder; "not found" is fine. With `inode`, only if it still has that inode. */
  remove(path: string, options?: { readonly inode?: number }): Promise<void>;
  inode(path: string): Promise<number | undefined>;
  /** Free bytes where `path` (or its nearest existing parent) lives. */
  free(path: string): Promise<number>;
}
