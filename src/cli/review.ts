import { mkdir, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join, resolve } from 'node:path';
import { sha256 } from '../engine/canonical.js';
import { messageOf, UsageError } from '../engine/errors.js';
import { approvalNamespace, signApproval } from '../evidence/approval.js';
import { reviewFile, reviewText } from '../evidence/review.js';
import { soundBundle, UnsoundBundleError } from '../evidence/seal-bundle.js';
import { openSigner } from '../evidence/signer.js';
import { principalOf } from '../evidence/ssh/allowed-signers.js';
import { fingerprint } from '../evidence/ssh/keys.js';
import { visible } from '../report/visible.js';
import { bundlePath } from './bundle-path.js';
import { readSigners } from './evidence-dir.js';
import type { CommandIo } from './io.js';

export interface ReviewArgs {
  readonly bundle: string;
  readonly key: string;
  readonly as?: string | undefined;
  readonly reject: boolean;
  readonly comment: string;
  readonly allowedSigners?: string | undefined;
}

/**
 * `muster review BUNDLE --key KEY`: signs that somebody has read a bundle and what they conclude, into its sig folder. The seal does not cover
 * that folder and stays as it is. 1 when the bundle is not sound: nobody should sign that off. Throws UsageError.
 */
export async function review(args: ReviewArgs, io: CommandIo): Promise<number> {
  const folder = await bundlePath(args.bundle, io.cwd);
  const signer = await openSigner(resolve(io.cwd, args.key), io.env['SSH_AUTH_SOCK']);
  const signers = await readSigners(args.allowedSigners, io);
  const now = new Date();
  const who = args.as ?? principalOf(signers, signer.publicKey, approvalNamespace, now.getTime()) ?? userInfo().username;
  try {
    const { drill, tagManifestText } = await soundBundle(folder);
    if (drill === undefined || tagManifestText === undefined) throw new UnsoundBundleError(folder, 1);
    const conclusion = args.reject ? 'rejected' : 'accepted';
    const text = reviewText({ schema: 'muster/review/v1', bundle: sha256(tagManifestText), run: drill.run, verdict: drill.verdict, reviewer: who, conclusion, comment: args.comment, at: now.toISOString() });
    const file = join('sig', reviewFile(who, now));
    const signature = await signApproval(text, signer);
    await mkdir(join(folder, 'sig'), { recursive: true, mode: 0o755 });
    await writeFile(join(folder, file), text, { flag: 'wx' });
    await writeFile(join(folder, `${file}.sig`), signature, { flag: 'wx' });
    io.stdout(`${file}\n`);
    io.stderr(`${visible(`Signed as ${who} (${fingerprint(signer.publicKey)}): the bundle of ${drill.run}, whose drill ${drill.verdict === 'incomplete' ? 'is incomplete' : drill.verdict === 'cancelled' ? 'was cancelled' : drill.verdict}, is ${conclusion}.`)}\n`);
    return 0;
  } catch (error) {
    if (error instanceof UnsoundBundleError) {
      io.stderr(`${visible(args.bundle)} is not sound, so it is not signed off: \`muster verify\` names ${error.defects} ${error.defects === 1 ? 'defect' : 'defects'}.\n`);
      return 1;
    }
    throw error instanceof UsageError ? error : new UsageError(`the review cannot be written: ${messageOf(error)}`, { cause: error });
  }
}
