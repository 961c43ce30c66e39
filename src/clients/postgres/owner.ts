import { realpathSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { StepError } from '../../engine/errors.js';

/** Whom files and processes of a local server belong to; null: to whoever runs Muster. */
export interface Owner {
  readonly uid: number | null;
  readonly gid: number | null;
}

/**
 * PostgreSQL refuses to run as root: then it gets a user that exists in passwd, `nobody` unless `name` is given.
 * Throws StepError `no-such-user`.
 */
export async function ownerOfServers(name?: string): Promise<Owner> {
  if (process.geteuid?.() !== 0) return { uid: null, gid: null };
  const wanted = name ?? 'nobody';
  for (const line of (await readFile('/etc/passwd', 'utf8')).split('\n')) {
    const [user, , uid, gid] = line.split(':');
    if (user === wanted && Number(uid) !== 0) return { uid: Number(uid), gid: Number(gid) };
  }
  throw new StepError('no-such-user', `PostgreSQL must not run as root, and there is no unprivileged user ${JSON.stringify(wanted)} in /etc/passwd`, { hint: 'Name one with `user:`.' });
}

/** Is this folder there, and can `owner` enter it? Looks at its mode bits and those of every folder above it. */
export function canEnter(path: string, owner: Owner): boolean {
  if (owner.uid === null) return true;
  try {
    for (let folder = realpathSync(path); ; folder = dirname(folder)) {
      const { mode, uid, gid } = statSync(folder);
      const search = uid === owner.uid ? 0o100 : gid === owner.gid ? 0o010 : 0o001;
      if ((mode & search) === 0) return false;
      if (folder === dirname(folder)) return true;
    }
  } catch {
    return false;
  }
}

/** The uid and gid members that child_process and our process port take. */
export function asUser(owner: Owner): { uid?: number; gid?: number } {
  return { ...(owner.uid === null ? {} : { uid: owner.uid }), ...(owner.gid === null ? {} : { gid: owner.gid }) };
}
