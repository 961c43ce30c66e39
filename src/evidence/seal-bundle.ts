import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { UsageError, messageOf } from '../engine/errors.js';
import { sealFiles, type Sealer } from './seal.js';
import { sealFile } from './seal-files.js';
import { fingerprint } from './ssh/keys.js';
import { verifyBundle, type Verification } from './verify.js';

/** Nobody should put a name to a bundle, or pass it on, that `muster verify` finds fault with. */
export class UnsoundBundleError extends Error {
  constructor(path: string, readonly defects: number) {
    super(`${path} is not sound: ${defects} ${defects === 1 ? 'defect' : 'defects'}`);
  }
}

/** The verification of a sound bundle. Throws UsageError when `folder` is none, UnsoundBundleError. */
export async function soundBundle(folder: string): Promise<Verification> {
  if ((await stat(folder).catch(() => undefined))?.isDirectory() !== true) throw new UsageError(`${folder} is not a bundle's folder`);
  const verification = await verifyBundle(folder);
  if (verification.defects.length > 0) throw new UnsoundBundleError(folder, verification.defects.length);
  return verification;
}

/** Seals a sound bundle that was left unsigned. The seal itself is written last. Throws UsageError, UnsoundBundleError. */
export async function sealBundle(folder: string, sealer: Sealer): Promise<{ fingerprint: string }> {
  const { input, seal, tagManifestText } = await soundBundle(folder);
  if (seal !== null) throw new UsageError(`${folder} is sealed already, with ${seal.fingerprint}`);
  if (input === undefined || tagManifestText === undefined) throw new UnsoundBundleError(folder, 1);
  const files = await sealFiles({ ...input, tagManifestText }, sealer.signer, sealer.timestamper);
  for (const [path, content] of [...files].toSorted(([a], [b]) => Number(a === sealFile) - Number(b === sealFile))) {
    const file = join(folder, path);
    try {
      await mkdir(dirname(file), { recursive: true, mode: 0o755 });
      await replace(file, content);
    } catch (error) {
      throw new UsageError(`cannot write the seal: ${messageOf(error)}`);
    }
  }
  return { fingerprint: fingerprint(sealer.signer.publicKey) };
}

async function replace(file: string, content: string | Buffer): Promise<void> {
  const partial = `${file}.partial`;
  try {
    const handle = await open(partial, 'wx', 0o644);
    try {
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(partial, file);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}
