import type { PostgresSession } from '../../../clients/postgres/port.js';
import { exists } from './session.js';

export const markerTable = 'muster_marker';

export async function hasMarker(session: PostgresSession, id: string): Promise<boolean> {
  if (!(await exists(session, markerTable))) return false;
  return (await session.query(`SELECT FROM ${markerTable} WHERE id = $1`, [id])).rowCount > 0;
}
