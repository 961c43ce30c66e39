import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { LocalDetails } from '../details.js';
import { limitsOfSource } from '../recovery.js';
import { asUser } from '../owner.js';

/**
 * The limits that pg_control records of the source: what a copy in recovery needs at least. None where there is no pg_controldata;
 * then PostgreSQL itself says which is too low.
 */
export async function limitsOfControlFile(local: LocalDetails): Promise<Record<string, number>> {
  let stdout: string;
  try {
    ({ stdout } = await promisify(execFile)(join(local.binDir, 'pg_controldata'), ['-D', local.dataDir], { ...asUser(local), cwd: '/', env: { LC_ALL: 'C' } }));
  } catch {
    return {};
  }
  const limits: Record<string, number> = {};
  for (const name of limitsOfSource) {
    const value = new RegExp(`^${settingLabels[name] ?? name} setting:\\s+(\\d+)$`, 'm').exec(stdout)?.[1];
    if (value !== undefined) limits[name] = Number(value);
  }
  return limits;
}

/** pg_controldata shortens two of the names. */
const settingLabels: Readonly<Record<string, string>> = { max_prepared_transactions: 'max_prepared_xacts', max_locks_per_transaction: 'max_locks_per_xact' };
