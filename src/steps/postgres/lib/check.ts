import type { PostgresSession } from '../../../clients/postgres/port.js';
import type { EvidenceOf } from '../../../engine/kinds/index.js';
import { describe, endsSession, sqlState } from './sql-errors.js';

export type Check = EvidenceOf<'reconciliation'>['consistency'][number];

/** Not allowed, not supported, cancelled: says nothing about the data. */
const couldNotRun = new Set(['42501', '0A000', '57014', '55P03']);

/** A read that failed is a finding about the data, unless it says that it could not be tried. */
export function failedCheck(check: string, object: string, error: unknown): Check {
  const could = !couldNotRun.has(sqlState(error) ?? '');
  return { check, object, ok: could ? false : null, detail: could ? describe(error) : `could not run: ${describe(error)}` };
}

/**
 * Runs `work` for each object inside the open transaction, and goes on after an error. Returns what failed, or one line
 * for all. A lost connection ends the list: a server process that crashes on a page is a finding too. `together` answers
 * for all objects in one statement, which is quicker when nothing is wrong; it counts only when it gives true.
 */
export async function eachObject<T extends { readonly object: string }>(session: PostgresSession, check: string, objects: readonly T[], summary: string, work: (object: T) => Promise<readonly Check[]>, together?: () => Promise<boolean>): Promise<Check[]> {
  const sound: Check[] = [{ check, object: '*', ok: true, detail: `${objects.length} ${summary}` }];
  if (together !== undefined && (await allSound(session, together))) return sound;
  const found: Check[] = [];
  for (const item of objects) {
    try {
      await session.query('SAVEPOINT muster_check');
      found.push(...(await work(item)));
      await session.query('RELEASE SAVEPOINT muster_check');
    } catch (error) {
      found.push(failedCheck(check, item.object, error));
      if (endsSession(error)) return found;
      await session.query('ROLLBACK TO SAVEPOINT muster_check');
    }
  }
  return found.length > 0 ? found : sound;
}

/** Which object is at fault is then found out one by one. */
async function allSound(session: PostgresSession, together: () => Promise<boolean>): Promise<boolean> {
  await session.query('SAVEPOINT muster_all');
  try {
    return await together();
  } catch (error) {
    if (endsSession(error)) throw error;
    await session.query('ROLLBACK TO SAVEPOINT muster_all');
    return false;
  }
}
