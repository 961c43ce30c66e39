import { digestOf, tagManifest } from './texts.js';
import { openEnvelope, sealEnvelope } from './dsse.js';
import { statements, type StatementFacts } from './intoto.js';
import { messageOf } from '../engine/errors.js';
import type { Defect } from './defect.js';
import { sealFile, statementsFile, timestampFile } from './seal-files.js';
import { sealKeyTypes } from './signer.js';
import { principalOf, type AllowedSigner } from './ssh/allowed-signers.js';
import { fingerprint, type SshPublicKey, type SshSigner } from './ssh/keys.js';
import { parseSshSignature, sshSign, sshVerify } from './ssh/sshsig.js';

export const sealNamespace = 'muster-drill';

/** What a seal is made over; all of it stands in the bundle. */
export type SealedContent = Omit<StatementFacts, 'sealText' | 'timestamp'>;

/** Gets a timestamp token over the bytes of sig/seal.sig. */
export type Timestamper = (sealText: string) => Promise<Buffer>;

export interface Sealer {
  readonly signer: SshSigner;
  readonly timestamper?: Timestamper | undefined;
}

/** The files of the seal by path. Rejects when the signer or the timestamp authority does not answer. */
export async function sealFiles(content: SealedContent, signer: SshSigner, timestamper?: Timestamper): Promise<Map<string, string | Buffer>> {
  const sealText = await sshSign(Buffer.from(content.tagManifestText), sealNamespace, signer);
  const token = await timestamper?.(sealText);
  const lines: string[] = [];
  for (const payload of statements({ ...content, sealText, timestamp: token === undefined ? null : digestOf(timestampFile, token).sha256 })) lines.push(await sealEnvelope(payload, signer));
  const files = new Map<string, string | Buffer>([[statementsFile, `${lines.join('\n')}\n`], [sealFile, sealText]]);
  return token === undefined ? files : files.set(timestampFile, token);
}

/** A seal that is its key's over this bundle. Whose key that is only `principal` tells. */
export interface Seal {
  readonly key: SshPublicKey;
  readonly fingerprint: string;
  /** By the allowed signers; null when none were given, or when the key is not theirs. */
  readonly principal: string | null;
}

export interface SealRequest {
  readonly texts: ReadonlyMap<string, string>;
  /** Digest of the token, where the bundle has one. */
  readonly timestamp: string | null;
  /** Undefined where the bundle is too broken to say what the statements would be. */
  readonly content: SealedContent | undefined;
  readonly signers: readonly AllowedSigner[] | undefined;
  /** When the seal was made as far as that was shown, in ms since the epoch; else now. */
  readonly at: number;
}

/** Null, without a defect, for a bundle that has no seal and of which none is demanded. */
export function checkSeal({ texts, timestamp, content, signers, at }: SealRequest, defects: Defect[]): Seal | null {
  const sealText = texts.get(sealFile);
  const lines = texts.get(statementsFile);
  if (sealText === undefined) {
    for (const file of [statementsFile, ...(timestamp === null ? [] : [timestampFile])]) if (file === timestampFile || lines !== undefined) defects.push({ code: 'unexpected-file', file, detail: `it belongs to ${sealFile}, which is not there` });
    if (signers !== undefined) defects.push({ code: 'unsigned', detail: 'the bundle has no seal; with allowed signers given, one is required' });
    return null;
  }
  const key = sealKey(sealText, texts.get(tagManifest), defects);
  if (key === undefined) return null;
  if (lines === undefined) defects.push({ code: 'missing-file', file: statementsFile, detail: `it belongs to ${sealFile}` });
  else checkStatements(lines, key, content === undefined ? undefined : statements({ ...content, sealText, timestamp }), defects);
  const principal = signers === undefined ? null : (principalOf(signers, key, sealNamespace, at) ?? null);
  if (signers !== undefined && principal === null) defects.push({ code: 'wrong-signer', file: sealFile, detail: `${fingerprint(key)} is not among the allowed signers for ${sealNamespace}, or not at ${new Date(at).toISOString()}` });
  return { key, fingerprint: fingerprint(key), principal };
}

function sealKey(sealText: string, sealed: string | undefined, defects: Defect[]): SshPublicKey | undefined {
  try {
    const signature = parseSshSignature(sealText);
    if (!sealKeyTypes.includes(signature.publicKey.type)) throw new RangeError(`a key of the type ${signature.publicKey.type}; expected ${sealKeyTypes.join(' or ')}`);
    if (sealed !== undefined && sshVerify(Buffer.from(sealed), signature, sealNamespace)) return signature.publicKey;
    defects.push({ code: 'seal-broken', file: sealFile, detail: `it is no signature of ${tagManifest} for ${sealNamespace}` });
  } catch (error) {
    defects.push({ code: 'signature-form', file: sealFile, detail: messageOf(error) });
  }
  return undefined;
}

function checkStatements(text: string, key: SshPublicKey, expected: readonly string[] | undefined, defects: Defect[]): void {
  const lines = text.split('\n');
  if (lines.length !== 3 || lines[2] !== '') {
    defects.push({ code: 'signature-form', file: statementsFile, detail: 'not two lines' });
    return;
  }
  for (const [index, line] of lines.slice(0, 2).entries()) {
    try {
      const payload = openEnvelope(line, key);
      if (expected !== undefined && payload !== expected[index]) defects.push({ code: 'statement-differs', file: statementsFile, detail: `line ${index + 1} does not say what the bundle says` });
    } catch (error) {
      defects.push({ code: 'signature-form', file: statementsFile, detail: `line ${index + 1}: ${messageOf(error)}` });
    }
  }
}
