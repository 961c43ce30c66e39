import type { World } from '../../engine/world.js';
import type { PostgresPort } from './port.js';

/** Tables, views, sequences and materialized views that belong to the drill's role, by oid, of one server. */
export type OwnedRelations = ReadonlyMap<string, string>;

const relations = `SELECT oid::text AS oid, oid::regclass::text AS name FROM pg_class
  WHERE relowner = current_user::regrole AND relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND relpersistence <> 't'
    AND relnamespace NOT IN (SELECT oid FROM pg_namespace WHERE nspname LIKE 'pg\\_%' OR nspname = 'information_schema')`;

/**
 * What the drill's role owns on each server that outlives the drill and that it may alter, by connection. A server that
 * does not answer is left out: nothing can be said of it.
 */
export async function ownedRelations(world: World, postgres: PostgresPort): Promise<ReadonlyMap<string, OwnedRelations>> {
  const found = new Map<string, OwnedRelations>();
  for (const [name, { kind, role, details }] of world.connections) {
    if (kind !== 'postgres' || role === 'production' || details['local'] !== undefined) continue;
    const session = await postgres.connect({ connection: name }, { effect: 'read', label: 'inventory', connectTimeoutMs: 10_000 }).catch(() => undefined);
    if (session === undefined) continue;
    try {
      const { rows } = await session.query<{ oid: string; name: string }>(relations);
      found.set(name, new Map(rows.map((row) => [row.oid, row.name])));
    } finally {
      await session.close();
    }
  }
  return found;
}
