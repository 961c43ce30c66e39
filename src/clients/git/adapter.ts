import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { RefusedError } from '../../engine/errors.js';
import { git } from './facts.js';
import type { GitPort } from './port.js';

export const gitPort: GitPort = {
  async head(folder) {
    const line = await git(folder, ['log', '-1', '--no-show-signature', '--format=%H%n%an <%ae>', 'HEAD'], /not a git repository|does not have any commits|unknown revision|ambiguous argument/i);
    const [commit = '', author = ''] = (line ?? '').trim().split('\n');
    return commit === '' ? null : { commit, author };
  },
  async committed(folder) {
    const text = await git(folder, ['ls-tree', '-r', '-z', '--name-only', 'HEAD', '--', '.'], /./);
    return new Set((text ?? '').split('\0').filter((path) => path !== ''));
  },
  async differing(folder) {
    const top = await git(folder, ['rev-parse', '--show-toplevel'], /not a git repository/i);
    if (top === undefined) throw new RefusedError(`${folder} is in no git repository`);
    const root = await realpath(top.replace(/\n$/, ''));
    const below = await realpath(folder);
    const fields = (text: string | undefined) => (text ?? '').split('\0').filter((field) => field !== '');
    const committed = new Map(
      fields(await git(root, ['ls-tree', '-r', '-z', '--full-tree', 'HEAD', '--', ...within(root, below)], /./)).flatMap((entry) => {
        const [, hash, path] = /^\d+ blob ([0-9a-f]+)\t(.*)$/s.exec(entry) ?? [];
        return hash === undefined || path === undefined ? [] : [[path, hash] as const];
      }),
    );
    const there = new Set(fields(await git(below, ['ls-files', '-z', '--full-name', '--cached', '--others', '--exclude-standard', '--deduplicate'], undefined)));
    const found: { path: string; how: 'changed' | 'untracked' | 'missing' }[] = [...there].filter((path) => !committed.has(path)).map((path) => ({ path, how: 'untracked' }));
    for (const [path, hash] of committed) {
      // Without filters: they would run programs that the repository's configuration names.
      const now = await git(root, ['hash-object', '--no-filters', '--', join(root, path)], /./);
      if (now === undefined) found.push({ path, how: 'missing' });
      else if (now.trim() !== hash) found.push({ path, how: 'changed' });
    }
    return found.toSorted((a, b) => (a.path < b.path ? -1 : 1));
  },
};

function within(root: string, folder: string): string[] {
  return folder === root ? [] : [`:(top,literal)${folder.slice(root.length + 1)}`];
}
