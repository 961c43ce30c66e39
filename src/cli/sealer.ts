import { resolve } from 'node:path';
import type { Sealer } from '../evidence/seal.js';
import type { CommandIo } from './io.js';

export interface SealOptions {
  /** A private key, or the public key of one that ssh-agent holds; MUSTER_KEY by default. */
  readonly key?: string | undefined;
  /** URL of an RFC 3161 authority; MUSTER_TIMESTAMP_URL by default. */
  readonly timestampUrl?: string | undefined;
}

/**
 * For the end of a run that is under way already, which a key that cannot be used does not stop: why stands where the seal
 * would, and the bundle can be sealed later.
 */
export async function sealerIfUsable(options: SealOptions, io: CommandIo): Promise<Sealer | undefined> {
  try {
    return await sealerOf(options, io);
  } catch (error) {
    return {
      signer: {
        get publicKey(): never {
          throw error;
        },
        comment: '',
        sign: () => Promise.reject(error),
      },
    };
  }
}

/** Whoever seals, asked for before anything is touched. Undefined when no key is named. Throws UsageError. */
export async function sealerOf(options: SealOptions, io: CommandIo): Promise<Sealer | undefined> {
  const named = options.key ?? io.env['MUSTER_KEY'];
  if (named === undefined || named === '') return undefined;
  const { openSigner } = await import('../evidence/signer.js');
  const signer = await openSigner(resolve(io.cwd, named), io.env['SSH_AUTH_SOCK']);
  const url = options.timestampUrl ?? io.env['MUSTER_TIMESTAMP_URL'];
  if (url === undefined || url === '') return { signer };
  return { signer, timestamper: await (await import('../evidence/timestamp.js')).timestamper(url) };
}
