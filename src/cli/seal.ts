import { UsageError } from '../engine/errors.js';
import { sealBundle, UnsoundBundleError } from '../evidence/seal-bundle.js';
import { visible } from '../report/visible.js';
import { bundlePath } from './bundle-path.js';
import type { CommandIo } from './io.js';
import { sealerOf, type SealOptions } from './sealer.js';

export interface SealArgs extends SealOptions {
  readonly bundle: string;
}

/** `muster seal BUNDLE --key FILE`: for a bundle that was left unsigned. 1 when it is not sound. Throws UsageError. */
export async function seal(args: SealArgs, io: CommandIo): Promise<number> {
  const sealer = await sealerOf(args, io);
  if (sealer === undefined) throw new UsageError('name the key with --key or MUSTER_KEY; `muster keygen` makes one');
  try {
    const { fingerprint } = await sealBundle(await bundlePath(args.bundle, io.cwd), sealer);
    io.stdout(`Sealed with ${fingerprint}: ${visible(args.bundle)}\n`);
    return 0;
  } catch (error) {
    if (!(error instanceof UnsoundBundleError)) throw error;
    io.stderr(`${visible(args.bundle)} is not sound, so it is not sealed: \`muster verify\` names ${error.defects} ${error.defects === 1 ? 'defect' : 'defects'}.\n`);
    return 1;
  }
}
