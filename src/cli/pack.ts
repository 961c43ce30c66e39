import { resolve } from 'node:path';
import { packBundle } from '../evidence/pack.js';
import { UnsoundBundleError } from '../evidence/seal-bundle.js';
import { visible } from '../report/visible.js';
import { bundlePath } from './bundle-path.js';
import type { CommandIo } from './io.js';

export interface PackArgs {
  readonly bundle: string;
  readonly out?: string | undefined;
}

/** `muster pack BUNDLE [--out FILE]`: a zip, the same byte for byte whenever the bundle is. 1 when it is not sound. Throws UsageError. */
export async function pack({ bundle, out }: PackArgs, io: CommandIo): Promise<number> {
  const folder = await bundlePath(bundle, io.cwd);
  try {
    const { path, sha256 } = await packBundle(folder, out === undefined ? `${folder}.zip` : resolve(io.cwd, out));
    io.stdout(`${sha256}  ${visible(path)}\n`);
    return 0;
  } catch (error) {
    if (!(error instanceof UnsoundBundleError)) throw error;
    io.stderr(`${visible(bundle)} is not sound, so it is not packed: \`muster verify\` names ${error.defects} ${error.defects === 1 ? 'defect' : 'defects'}.\n`);
    return 1;
  }
}
