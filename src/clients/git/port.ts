/** What git knows; nothing in a repository is written or run. */
export interface GitPort {
  /** The commit of HEAD and its author; null where there is no repository or no commit. */
  head(folder: string): Promise<{ readonly commit: string; readonly author: string } | null>;
  /** Files below `folder` that HEAD has, relative to `folder`; none where there is no repository or no commit. */
  committed(folder: string): Promise<ReadonlySet<string>>;
  /** Files below `folder` that are not what HEAD has, relative to the repository's root, sorted. Throws RefusedError where there is no repository. */
  differing(folder: string): Promise<readonly { readonly path: string; readonly how: 'changed' | 'untracked' | 'missing' }[]>;
}
