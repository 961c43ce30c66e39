import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ProvisionContext } from '../../../engine/define-step.js';
import { writeOwned } from '../../postgres/conf.js';
import { codeOf } from '../../postgres/errors.js';
import type { Owner } from '../../postgres/owner.js';

/**
 * The password of the servers that this run makes, so that no other user of the machine is their superuser while a drill runs. It
 * is made when it is first asked for, stands in a 0600 file of the run's state, and goes with the run.
 */
export async function runPassword(ctx: ProvisionContext): Promise<string> {
  const file = join(dirname(dirname(ctx.workDir)), 'postgres-password');
  const made = randomBytes(24).toString('base64url');
  ctx.secret(made);
  try {
    await writeFile(file, made, { flag: 'wx', mode: 0o600 });
    return made;
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  }
  const earlier = await readFile(file, 'utf8');
  ctx.secret(earlier);
  return earlier;
}

/** The same as a pgpass file that the server's own user may read as well: for Muster's sessions and for children. */
export async function writePassFile(folder: string, user: string, password: string, owner: Owner): Promise<string> {
  const file = join(folder, 'pgpass');
  await writeOwned(file, `127.0.0.1:*:*:${user}:${password}\n`, owner);
  return file;
}
