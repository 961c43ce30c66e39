import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256 } from '../../engine/canonical.js';

/** What tools leave beside the code, and no part of it. */
const isLeft = (name: string): boolean => name === '.git' || name === '.terraform' || name === '.terragrunt-cache' || name === 'node_modules' || /\.tfstate(\.backup|\.\d+\.backup)?$/.test(name);

/** SHA-256 of every file below `folder`, by its path from there on, sorted. */
export async function codeOf(folder: string): Promise<Record<string, string>> {
  const files: [string, string][] = [];
  const look = async (below: string): Promise<void> => {
    for (const entry of await readdir(join(folder, below), { withFileTypes: true })) {
      if (isLeft(entry.name)) continue;
      const path = below === '' ? entry.name : `${below}/${entry.name}`;
      if (entry.isDirectory()) await look(path);
      else if (entry.isFile()) files.push([path, sha256(await readFile(join(folder, path)))]);
    }
  };
  await look('');
  return Object.fromEntries(files.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/** Paths whose content is not the same in both. */
export function changedCode(before: Readonly<Record<string, string>>, now: Readonly<Record<string, string>>): string[] {
  return [...new Set([...Object.keys(before), ...Object.keys(now)])].filter((path) => before[path] !== now[path]).toSorted();
}
