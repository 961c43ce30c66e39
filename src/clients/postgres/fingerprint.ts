import { sha256 } from '../../engine/canonical.js';
import { messageOf } from '../../engine/errors.js';
import type { EvidenceOf } from '../../engine/kinds/index.js';
import type { World } from '../../engine/world.js';
import type { PostgresDetails } from './details.js';
import type { ArchiveFile, PostgresPort } from './port.js';
import { powersOf } from './powers.js';

export type Fingerprint = EvidenceOf<'production-fingerprint'>;

/** Listings taken before, by connection: what `after` is compared with. */
export type EarlierListings = Map<string, readonly ArchiveFile[]>;

/**
 * What identifies each connection of role production, through sessions of its own that only read. What could not be looked at is
 * said in `error`, never left out.
 */
export async function fingerprints(when: 'before' | 'after', world: World, port: PostgresPort, earlier: EarlierListings): Promise<Fingerprint[]> {
  const found: Fingerprint[] = [];
  for (const [connection, { kind, role, details }] of world.connections) {
    if (role !== 'production') continue;
    const nothing = { connection, when, as: null, systemId: null, timeline: null, powers: [], archive: null };
    try {
      if (kind === 'postgres') found.push({ ...nothing, ...(await ofServer(connection, details as unknown as PostgresDetails, port)) });
      else if (kind === 'postgres-backups') found.push({ ...nothing, archive: listing(await port.repository(connection).archive(), connection, when, earlier) });
    } catch (error) {
      found.push({ ...nothing, error: messageOf(error) });
    }
  }
  return found;
}

/** On a primary the timeline of its WAL now, on a standby that of its last restartpoint. */
const identity = `SELECT (SELECT system_identifier::text FROM pg_control_system()) AS system, current_user::text AS "as",
  CASE WHEN pg_is_in_recovery() THEN (SELECT timeline_id FROM pg_control_checkpoint())
       ELSE ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int END AS timeline,
  current_setting('server_version') AS version, pg_database_size(current_database())::text AS size`;

async function ofServer(connection: string, { user, observer }: PostgresDetails, port: PostgresPort): Promise<Pick<Fingerprint, 'as' | 'systemId' | 'timeline' | 'powers' | 'serverVersion' | 'dataBytes'>> {
  const session = await port.connect({ connection }, { effect: 'read', label: 'fingerprint', statementTimeoutMs: 10_000, ...(observer === undefined ? {} : { as: observer }) });
  try {
    const [row] = (await session.query<{ system: string; as: string; timeline: number; version: string; size: string }>(identity)).rows;
    return { ...(row === undefined ? {} : { serverVersion: row.version, dataBytes: Number(row.size) }), as: row?.as ?? null, systemId: row?.system ?? null, timeline: row?.timeline ?? null, powers: await powersOf(session, user) };
  } finally {
    await session.close();
  }
}

function listing(files: readonly ArchiveFile[], connection: string, when: 'before' | 'after', earlier: EarlierListings): NonNullable<Fingerprint['archive']> {
  const lines = files.map(({ name, size }) => `${name} ${size}`).toSorted();
  const facts = { files: files.length, digest: sha256(lines.map((line) => `${line}\n`).join('')) };
  if (when === 'before') {
    earlier.set(connection, files);
    return facts;
  }
  const before = earlier.get(connection);
  if (before === undefined) return facts;
  const now = new Map(files.map((file) => [file.name, file]));
  const removed = before.filter(({ name }) => !now.has(name)).map(({ name }) => name);
  const changed = before.filter(({ name, size, modifiedMs }) => {
    const file = now.get(name);
    return file !== undefined && (file.size !== size || file.modifiedMs !== modifiedMs);
  });
  return { ...facts, removed, changed: changed.map(({ name }) => name) };
}
