import { readFile } from 'node:fs/promises';
import { GuardError, StepError } from '../../engine/errors.js';
import { codeOf } from '../../engine/guard/paths.js';
import { StateLocked } from './errors.js';

/** What backends log before they try to lock; the ID is random and made by the process itself. */
const announced = /Attempting to lock remote state.*?\btf_backend\.lock\.id=([0-9a-f-]{36})\b/g;
/** What they log once the answer has come that it is theirs. */
const taken = /Locked remote state.*?\btf_backend\.lock\.id=([0-9a-f-]{36})\b/g;
const released = /Unlocked remote state.*?\btf_backend\.lock\.id=([0-9a-f-]{36})\b/g;

/** IDs of the locks that the command with this log may still hold. Empty where it logged none. */
export async function announcedLocks(logFile: string): Promise<readonly string[]> {
  const text = await textOf(logFile);
  const gone = idsIn(text, released);
  return [...idsIn(text, announced)].filter((id) => !gone.has(id));
}

/**
 * For a command that is about to begin, and logs to `logFile`: resolves to what tells, once it has ended, whether it failed by a lock
 * of its own. That is so where the answer to its lock was lost: it asked again, and found the lock that it had taken itself. Such a
 * lock has an ID that this command announced, and of which it never heard that it had it; nothing was done under it.
 */
export async function ownLock(logFile: string): Promise<(error: unknown) => Promise<string | undefined>> {
  const { length } = await textOf(logFile);
  return async (error) => {
    const id = error instanceof StateLocked ? error.owner?.id : undefined;
    if (id === undefined) return undefined;
    const text = (await textOf(logFile)).slice(length);
    return idsIn(text, announced).has(id) && !idsIn(text, taken).has(id) ? id : undefined;
  };
}

/** What force-unlock says where the lock is gone already or is another's: S3's lock file, and the DynamoDB table. */
const notThatLock = /does not match (the )?existing lock|NoSuchKey|StatusCode: 404|unexpected end of JSON input/i;

/** Whether a force-unlock did it. The backend itself compares the ID with the lock's: false where the lock is another's, or there is none. */
export async function isUnlocked(command: Promise<unknown>): Promise<boolean> {
  try {
    await command;
    return true;
  } catch (error) {
    if (error instanceof GuardError || !(error instanceof StepError) || !notThatLock.test(error.message)) throw error;
    return false;
  }
}

const idsIn = (text: string, pattern: RegExp): ReadonlySet<string> => new Set([...text.matchAll(pattern)].map(([, id = '']) => id));

async function textOf(logFile: string): Promise<string> {
  try {
    return await readFile(logFile, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return '';
    throw error;
  }
}
