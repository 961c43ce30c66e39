import { canonicalJson } from '../engine/canonical.js';
import { parseJson } from './parse.js';
import { fingerprint, verifyBlob, type SshPublicKey, type SshSigner } from './ssh/keys.js';
import { WireReader, mpint, string, unsignedOf } from './ssh/wire.js';

/** The Dead Simple Signing Envelope (DSSE 1.0), in the one form that Muster writes: canonical JSON with one signature. */
export const payloadType = 'application/vnd.in-toto+json';

/** What is really signed: DSSE's pre-authentication encoding. */
function preAuthEncoding(type: string, payload: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`DSSEv1 ${Buffer.byteLength(type)} ${type} ${payload.length} `), payload]);
}

/** One line without its line feed. `keyid` is the key's fingerprint; it only helps to find the key. */
export async function sealEnvelope(payload: string, signer: SshSigner): Promise<string> {
  const bytes = Buffer.from(payload);
  const signature = plainSignature(signer.publicKey.type, await signer.sign(preAuthEncoding(payloadType, bytes)));
  return envelope(bytes, signer.publicKey, signature);
}

function envelope(payload: Buffer, key: SshPublicKey, signature: Buffer): string {
  return canonicalJson({ payload: payload.toString('base64'), payloadType, signatures: [{ keyid: fingerprint(key), sig: signature.toString('base64') }] });
}

/** The payload of an envelope that `key` signed. Throws RangeError or SyntaxError: another form, another key, a wrong signature. */
export function openEnvelope(line: string, key: SshPublicKey): string {
  const parsed = parseJson(line) as { payload?: unknown; signatures?: { sig?: unknown }[] } | null;
  const [payload, signature] = [parsed?.payload, parsed?.signatures?.[0]?.sig];
  if (typeof payload !== 'string' || typeof signature !== 'string') throw new RangeError('not a DSSE envelope');
  const [bytes, plain] = [Buffer.from(payload, 'base64'), Buffer.from(signature, 'base64')];
  if (envelope(bytes, key, plain) !== line) throw new RangeError("the envelope is not in its canonical form, or not for the seal's key");
  if (!verifyBlob(key, preAuthEncoding(payloadType, bytes), sshSignature(key.type, plain))) throw new RangeError("the signature is not that of the seal's key");
  return bytes.toString('utf8');
}

/** SSH's signature blob as DSSE's users write it: 64 raw bytes for Ed25519, DER for ECDSA. */
function plainSignature(type: string, blob: Buffer): Buffer {
  const reader = new WireReader(blob);
  if (reader.text() !== type) throw new RangeError(`the signer did not sign with ${type}`);
  const raw = reader.string();
  if (type === 'ssh-ed25519') return raw;
  const parts = new WireReader(raw);
  return der(unsignedOf(parts.string(), 32), lowS(unsignedOf(parts.string(), 32)));
}

function sshSignature(type: string, plain: Buffer): Buffer {
  if (type === 'ssh-ed25519') return Buffer.concat([string(type), string(plain)]);
  const [r, s] = derParts(plain);
  if (!der(r, s).equals(plain) || !lowS(s).equals(s)) throw new RangeError('the signature is not in its canonical form');
  return Buffer.concat([string(type), string(Buffer.concat([mpint(r), mpint(s)]))]);
}

const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

/** Of the two forms that every P-256 signature has, the one with the smaller s: nobody can make the other of it unnoticed. */
function lowS(s: Buffer): Buffer {
  const value = BigInt(`0x${s.toString('hex')}`);
  return value <= order / 2n ? s : Buffer.from((order - value).toString(16).padStart(64, '0'), 'hex');
}

function der(r: Buffer, s: Buffer): Buffer {
  const integers = [r, s].map((value) => {
    const minimal = mpint(value).subarray(4);
    return Buffer.concat([Buffer.from([2, minimal.length]), minimal]);
  });
  const body = Buffer.concat(integers);
  return Buffer.concat([Buffer.from([0x30, body.length]), body]);
}

function derParts(plain: Buffer): [Buffer, Buffer] {
  const length = plain[3] ?? 0;
  return [unsignedOf(plain.subarray(4, 4 + length), 32), unsignedOf(plain.subarray(6 + length), 32)];
}
