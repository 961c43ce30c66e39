import { findBinaries } from '../../../../src/clients/provision/lib/binaries.js';
import { ownerOfServers, type Owner } from '../../../../src/clients/postgres/owner.js';

/** What all servers of one stand-in have in common. */
export interface Place {
  /** Everything that is made stands below it. */
  readonly folder: string;
  readonly binDir: string;
  readonly owner: Owner;
  /** The environment of every server: whoever carries it belongs to this stand-in and is ended with it. */
  readonly env: Readonly<Record<string, string>>;
}

export const markerName = 'MUSTER_TEST_CNPG';

export async function openPlace(folder: string): Promise<Place> {
  const owner = await ownerOfServers();
  const { binDir } = await findBinaries(undefined, owner);
  return { folder, binDir, owner, env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin', TZ: 'UTC', LANG: 'C.UTF-8', [markerName]: folder } };
}
