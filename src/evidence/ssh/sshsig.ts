import { createHash } from 'node:crypto';
import { parsePublicBlob, verifyBlob, type SshPublicKey, type SshSigner } from './keys.js';
import { WireReader, string, uint32 } from './wire.js';

/** SSHSIG, as OpenSSH's PROTOCOL.sshsig defines it: what `ssh-keygen -Y sign` writes and `-Y verify` reads. */
const magic = Buffer.from('SSHSIG');
const begin = '-----BEGIN SSH SIGNATURE-----';
const end = '-----END SSH SIGNATURE-----';
const hashes = ['sha256', 'sha512'];

export interface SshSignature {
  readonly publicKey: SshPublicKey;
  readonly namespace: string;
  readonly hash: string;
  readonly signature: Buffer;
}

function signedBytes(message: Buffer, namespace: string, hash: string): Buffer {
  return Buffer.concat([magic, string(namespace), string(''), string(hash), string(createHash(hash).update(message).digest())]);
}

function armor(blob: Buffer): string {
  const lines = blob.toString('base64').match(/.{1,70}/g) ?? [];
  return [begin, ...lines, end, ''].join('\n');
}

function encode(signature: SshSignature): string {
  return armor(
    Buffer.concat([magic, uint32(1), string(signature.publicKey.blob), string(signature.namespace), string(''), string(signature.hash), string(signature.signature)]),
  );
}

/** The armored signature over `message`. */
export async function sshSign(message: Buffer, namespace: string, signer: SshSigner): Promise<string> {
  const signature = await signer.sign(signedBytes(message, namespace, 'sha512'));
  return encode({ publicKey: signer.publicKey, namespace, hash: 'sha512', signature });
}

/** Throws RangeError when `text` is no signature file or not in the one form that ssh-keygen would write. */
export function parseSshSignature(text: string): SshSignature {
  const body = text.startsWith(`${begin}\n`) && text.endsWith(`\n${end}\n`) ? text.slice(begin.length + 1, -end.length - 2) : undefined;
  if (body === undefined) throw new RangeError('not an SSH signature file');
  const reader = new WireReader(Buffer.from(body, 'base64'));
  if (!reader.bytes(6).equals(magic) || reader.uint32() !== 1) throw new RangeError('not an SSH signature of version 1');
  const publicKey = parsePublicBlob(reader.string());
  const namespace = reader.text();
  reader.string();
  const hash = reader.text();
  if (!hashes.includes(hash)) throw new RangeError(`hash ${JSON.stringify(hash)} is not allowed`);
  const parsed = { publicKey, namespace, hash, signature: reader.string() };
  if (encode(parsed) !== text) throw new RangeError('the signature file is not in its canonical form');
  return parsed;
}

/** True when the signature is its own key's over `message` in `namespace`. Whose key that is says allowed_signers. */
export function sshVerify(message: Buffer, signature: SshSignature, namespace: string): boolean {
  return signature.namespace === namespace && verifyBlob(signature.publicKey, signedBytes(message, namespace, signature.hash), signature.signature);
}
