import { lstat, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { timelineOf } from '../archive-names.js';
import { chooseBackup } from '../choose-backup.js';
import { commandPath, giveTo } from '../conf.js';
import type { BackupsDetails } from '../details.js';
import { codeOf } from '../errors.js';
import type { ArchiveFile, BackupRepository } from '../port.js';
import type { RepositoryTools } from '../repository-tools.js';
import { takeBackup } from './backup.js';
import { readManifests } from './manifest.js';
import { restoreInto } from './restore.js';

/**
 * Appears under its name complete or not at all, and never replaces another file. A segment that is there with the same
 * content is archived already: the server asks again after a crash (PostgreSQL manual, "Setting Up WAL Archiving").
 */
function archiveCommand(path: string): string {
  const file = `${commandPath(join(path, 'wal/'))}%f`;
  const coming = `${commandPath(join(path, 'incoming/'))}%f`;
  return `if test -e ${file}; then cmp -s "%p" ${file}; else cp "%p" ${coming} && mv ${coming} ${file}; fi`;
}

/** A folder with base/ (finished backups), wal/ (the archive) and incoming/ (segments that are being copied). */
export function directoryRepository(details: BackupsDetails, tools: RepositoryTools): BackupRepository {
  const base = join(details.path, 'base');
  const wal = join(details.path, 'wal');
  return {
    provider: 'directory',
    archiving: () => Promise.resolve({ settings: { archive_mode: 'on', archive_command: archiveCommand(details.path) }, begin: () => makeIncoming(details, tools) }),
    async backup(server, signal) {
      const source = tools.postgres(server);
      await tools.scope.access({ kind: 'path', path: base }, 'create');
      const session = await tools.connect(server, { effect: 'read', label: 'backup' });
      try {
        return await takeBackup(session, source, details, AbortSignal.any([signal, tools.scope.signal]));
      } finally {
        await session.close();
      }
    },
    list: async () => (await readManifests(base)).map(({ manifest }) => manifest.backup),
    async archive() {
      const names = (await readdir(wal)).toSorted();
      const files = await Promise.all(names.map((name) => archiveFile(join(wal, name), name)));
      return files.filter((file) => file !== undefined);
    },
    async prepareRestore(request, signal) {
      const copy = tools.postgres(request.into);
      const manifests = await readManifests(base);
      const chosen = chooseBackup(manifests.map(({ manifest }) => manifest.backup), request.backup, request.target);
      const backup = manifests.find(({ manifest }) => manifest.backup.name === chosen.name);
      if (backup === undefined) throw new RangeError(chosen.name);
      await tools.announce(request.into, 'create');
      return restoreInto(copy, details, backup, request, AbortSignal.any([signal, tools.scope.signal]));
    },
  };
}

/** An existing repository may come without it. */
async function makeIncoming(details: BackupsDetails, { scope }: RepositoryTools): Promise<void> {
  await scope.access({ kind: 'path', path: join(details.path, 'wal') }, 'create');
  const incoming = join(details.path, 'incoming');
  await mkdir(incoming, { recursive: true, mode: 0o700 });
  await giveTo(incoming, details);
}

/** undefined for what is no file, or has vanished since it was listed. */
export async function archiveFile(path: string, name: string): Promise<ArchiveFile | undefined> {
  try {
    const facts = await lstat(path);
    return facts.isFile() ? { name, size: facts.size, modifiedMs: facts.mtimeMs, timeline: timelineOf(name) } : undefined;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
