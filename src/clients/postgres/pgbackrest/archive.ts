import { readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { archiveFile } from '../directory/repository.js';
import { codeOf } from '../errors.js';
import type { ArchiveFile } from '../port.js';

/**
 * The WAL of a posix repository: <path>/archive/<stanza>/<version>-<id>/<timeline and log>/<segment>-<sha1>.<compression>, and
 * <timeline>.history beside those folders. archive.info describes the stanza and is no part of the archive. Files are named by
 * their last part; those of an older cluster of the same stanza (another <id>) by their path.
 */
export async function listArchive(path: string, stanza: string): Promise<ArchiveFile[]> {
  const root = join(path, 'archive', stanza);
  const clusters = (await foldersIn(root)).toSorted((a, b) => idOf(b) - idOf(a));
  const found: ArchiveFile[] = [];
  for (const [age, cluster] of clusters.entries()) {
    const entries = await readdir(join(root, cluster), { withFileTypes: true, recursive: true });
    const files = await Promise.all(
      entries.filter((entry) => entry.isFile()).map((entry) => archiveFile(join(entry.parentPath, entry.name), age === 0 ? entry.name : relative(root, join(entry.parentPath, entry.name)))),
    );
    found.push(...files.filter((file) => file !== undefined && !file.name.endsWith('.pgbackrest.tmp')) as ArchiveFile[]);
  }
  return found.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

function idOf(cluster: string): number {
  return Number(cluster.slice(cluster.lastIndexOf('-') + 1));
}

async function foldersIn(path: string): Promise<string[]> {
  try {
    return (await readdir(path, { withFileTypes: true })).filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  }
}
