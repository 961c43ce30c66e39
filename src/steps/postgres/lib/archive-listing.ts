import type { ArchiveFile } from '../../../clients/postgres/port.js';
import type { EvidenceOf } from '../../../engine/kinds/index.js';
import { sha256 } from '../../../engine/canonical.js';

/** SHA-256 over the lines "name size", sorted bytewise, each ended by a line feed. */
export function digestOfListing(files: readonly ArchiveFile[]): string {
  const lines = files.map(({ name, size }) => Buffer.from(`${name} ${size}\n`)).sort((a, b) => Buffer.compare(a, b));
  return sha256(Buffer.concat(lines));
}

/** What differs; a file has changed when its size or its time of modification has. All lists are sorted by name. */
export function compareListings(before: readonly ArchiveFile[], after: readonly ArchiveFile[]): Required<Pick<EvidenceOf<'archive'>, 'added' | 'removed' | 'changed'>> {
  const old = new Map(before.map((file) => [file.name, file]));
  const now = new Map(after.map((file) => [file.name, file]));
  const sorted = [...after].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  return {
    added: sorted.filter(({ name }) => !old.has(name)).map(({ name, timeline }) => ({ name, timeline })),
    removed: [...old.keys()].filter((name) => !now.has(name)).sort(),
    changed: sorted
      .filter((file) => {
        const was = old.get(file.name);
        return was !== undefined && (was.size !== file.size || was.modifiedMs !== file.modifiedMs);
      })
      .map(({ name }) => name),
  };
}
