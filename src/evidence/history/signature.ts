import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { parseJson } from '../parse.js';
import { signOffOf, type SignOff } from '../review.js';
import { principalOf, type AllowedSigner } from '../ssh/allowed-signers.js';
import { fingerprint } from '../ssh/keys.js';
import { parseSshSignature, sshVerify } from '../ssh/sshsig.js';
import { tagManifest } from '../texts.js';
import { readSmall } from './summary.js';

/** What a signature file shows. `by` is null where nobody whom the caller trusts holds the key. */
export type Signature =
  | { readonly state: 'none' }
  | { readonly state: 'broken'; readonly why: string }
  | { readonly state: 'holds'; readonly key: string; readonly by: string | null };

/** One approval or review beside the seal. */
export interface Approval {
  readonly file: string;
  readonly signature: Signature;
  /** What it says it is: `approval` of the plan before the run, `review` of the bundle after it. */
  readonly kind: SignOff['kind'];
  /** Of a review: accepted or rejected, and why; else empty. */
  readonly says: string;
}

export const approvalNamespace = 'muster-approval';
const sealNamespace = 'muster-drill';

/** The seal of a bundle: SSHSIG over its tag manifest. `signers` are those whom the caller trusts. */
export async function readSeal(bundle: string, signers: readonly AllowedSigner[], now: Date): Promise<Signature> {
  return signatureOver(join(bundle, tagManifest), join(bundle, 'sig', 'seal.sig'), sealNamespace, signers, now);
}

/** The approvals and reviews beside it, sorted by name. */
export async function readApprovals(bundle: string, signers: readonly AllowedSigner[], now: Date): Promise<Approval[]> {
  const names = await readdir(join(bundle, 'sig')).catch(() => []);
  const approvals: Approval[] = [];
  for (const name of names.filter((each) => /^approval-.+\.json$/.test(each)).toSorted()) {
    const file = join(bundle, 'sig', name);
    approvals.push({ file: `sig/${name}`, signature: await signatureOver(file, `${file}.sig`, approvalNamespace, signers, now), ...(await contentOf(file)) });
  }
  return approvals;
}

async function contentOf(file: string): Promise<Pick<Approval, 'kind' | 'says'>> {
  try {
    const signed = signOffOf(parseJson(await readSmall(file, 'what is signed')));
    return { kind: signed.kind, says: signed.kind !== 'review' ? '' : `${signed.review.conclusion} on ${signed.review.at.slice(0, 10)}${signed.review.comment === '' ? '' : `: ${signed.review.comment}`}` };
  } catch {
    // Its signature does not hold then, or verification says what is wrong with it.
    return { kind: 'other', says: '' };
  }
}

/** Checks the signature file `signature` over the bytes of `file`. */
export async function signatureOver(file: string, signature: string, namespace: string, signers: readonly AllowedSigner[], now: Date): Promise<Signature> {
  const text = await readSmall(signature, 'the signature').catch(() => undefined);
  if (text === undefined) return { state: 'none' };
  try {
    const parsed = parseSshSignature(text);
    const message = Buffer.from(await readSmall(file, 'what is signed'));
    if (!sshVerify(message, parsed, namespace)) return { state: 'broken', why: `not a signature of this file for ${namespace}` };
    return { state: 'holds', key: fingerprint(parsed.publicKey), by: principalOf(signers, parsed.publicKey, namespace, now.getTime()) ?? null };
  } catch (error) {
    return { state: 'broken', why: error instanceof Error ? error.message : String(error) };
  }
}
