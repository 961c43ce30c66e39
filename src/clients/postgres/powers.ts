import type { PostgresSession } from './port.js';

/** Rights that a read-only transaction does not hold back. */
const powers = `SELECT array_remove(ARRAY[
    CASE WHEN r.rolsuper THEN 'superuser' END,
    CASE WHEN pg_has_role(r.oid, 'pg_execute_server_program', 'USAGE') THEN 'pg_execute_server_program' END,
    CASE WHEN pg_has_role(r.oid, 'pg_write_server_files', 'USAGE') THEN 'pg_write_server_files' END], NULL) AS powers
  FROM pg_roles r WHERE r.rolname = $1`;

/** What `role` could do to the server's machine although every statement of ours is read-only. */
export async function powersOf(session: PostgresSession, role: string): Promise<string[]> {
  const [row] = (await session.query<{ powers: string[] }>(powers, [role])).rows;
  return row?.powers ?? [];
}
