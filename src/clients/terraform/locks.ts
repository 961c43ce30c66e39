import { readFile } from 'node:fs/promises';
import { codeOf } from '../../engine/guard/paths.js';

/** What backends log before they try to lock; the ID is random and made by the process itself. */
const announced = /Attempting to lock remote state.*?\btf_backend\.lock\.id=([0-9a-f-]{36})\b/g;
const released = /Unlocked remote state.*?\btf_backend\.lock\.id=([0-9a-f-]{36})\b/g;

/** IDs of the locks that the command with this log may still hold. Empty where it logged none. */
export async function announcedLocks(logFile: string): Promise<readonly string[]> {
  let text: string;
  try {
    text = await readFile(logFile, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  }
  const ids = (pattern: RegExp) => new Set([...text.matchAll(pattern)].map(([, id = '']) => id));
  const gone = ids(released);
  return [...ids(announced)].filter((id) => !gone.has(id));
}

/** What force-unlock says where the lock is gone already or is another's: S3's lock file, and the DynamoDB table. */
export const notThatLock = /does not match (the )?existing lock|NoSuchKey|StatusCode: 404|unexpected end of JSON input/i;
