import { open, rm } from 'node:fs/promises';
import { hostname, userInfo } from 'node:os';
import { resolve } from 'node:path';
import { called } from '../engine/called.js';
import { UsageError, messageOf } from '../engine/errors.js';
import { visible } from '../report/visible.js';
import { fingerprint, publicKeyLine } from '../evidence/ssh/keys.js';
import { generateKey, type KeyType } from '../evidence/ssh/private-key.js';
import type { CommandIo } from './io.js';

export interface KeygenArgs {
  readonly out: string;
  readonly type: KeyType;
  /** Whose key it is, as allowed_signers will name them; default: the account and the host. */
  readonly as?: string | undefined;
}

/** `muster keygen`: a key to seal and to approve with, as ssh-keygen would make it. Writes over nothing. Throws UsageError. */
export async function keygen(args: KeygenArgs, io: CommandIo): Promise<number> {
  const identity = args.as ?? `${userInfo().username}@${hostname()}`;
  if (args.as !== undefined && !/^[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}$/.test(identity)) throw new UsageError(`--as: expected a name like sam@example.org, found ${visible(identity)}`);
  const { publicKey, privateText } = generateKey(args.type, identity);
  const file = resolve(io.cwd, args.out);
  await writeNew(file, privateText, 0o600);
  try {
    await writeNew(`${file}.pub`, `${publicKeyLine(publicKey, identity)}\n`, 0o644);
  } catch (error) {
    await rm(file);
    throw error;
  }
  io.stdout(`${identity} namespaces="muster-drill,muster-approval" ${publicKeyLine(publicKey)}\n`);
  io.stderr(`
Wrote ${args.out} (keep it secret; it has no passphrase: ssh-keygen -p -f ${args.out} sets one) and ${args.out}.pub: ${fingerprint(publicKey)}
The line above goes into the allowed_signers file of whoever checks your bundles. Give it to them by another way than the bundle.
Seal a drill:     ${called} run RUNBOOK --env ENV --key ${args.out}
Check its seal:   ${called} verify BUNDLE --allowed-signers FILE
`);
  return 0;
}

async function writeNew(file: string, text: string, mode: number): Promise<void> {
  try {
    const handle = await open(file, 'wx', mode);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw new UsageError(`cannot write the key: ${messageOf(error)}`);
  }
}
