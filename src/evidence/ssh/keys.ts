import { createHash, createPrivateKey, createPublicKey, sign as cryptoSign, verify as cryptoVerify, type KeyObject } from 'node:crypto';
import { UsageError } from '../../engine/errors.js';
import { WireReader, mpint, string, unsignedOf } from './wire.js';

/** Curves of RFC 5656 section 10 by their SSH names. */
const curves = {
  nistp256: { crv: 'P-256', bytes: 32, hash: 'sha256' },
  nistp384: { crv: 'P-384', bytes: 48, hash: 'sha384' },
  nistp521: { crv: 'P-521', bytes: 66, hash: 'sha512' },
} as const;
type CurveName = keyof typeof curves;

function curveOf(type: string): (typeof curves)[CurveName] {
  const name = type.replace(/^ecdsa-sha2-/, '');
  if (!Object.hasOwn(curves, name)) throw new UsageError(`key type ${JSON.stringify(type)} is not supported; expected ssh-ed25519 or ecdsa-sha2-nistp256`);
  return curves[name as CurveName];
}

/** A public key in SSH's own encoding (RFC 4253 section 6.6, RFC 5656, RFC 8709). */
export interface SshPublicKey {
  readonly type: string;
  readonly blob: Buffer;
}

/** Signs raw bytes; the result is the SSH signature blob (type, signature). */
export interface SshSigner {
  readonly publicKey: SshPublicKey;
  readonly comment: string;
  sign(data: Buffer): Promise<Buffer>;
}

export function parsePublicBlob(blob: Buffer): SshPublicKey {
  return { type: new WireReader(blob).text(), blob };
}

/** `SHA256:...`, as ssh-keygen -l prints it. */
export function fingerprint(key: SshPublicKey): string {
  return `SHA256:${createHash('sha256').update(key.blob).digest('base64').replace(/=+$/, '')}`;
}

/** `ssh-ed25519 AAAA... comment` */
export function publicKeyLine(key: SshPublicKey, comment = ''): string {
  return `${key.type} ${key.blob.toString('base64')}${comment === '' ? '' : ` ${comment}`}`;
}

export function parsePublicKeyLine(line: string): SshPublicKey {
  const [type, base64] = line.trim().split(/\s+/);
  const key = parsePublicBlob(Buffer.from(base64 ?? '', 'base64'));
  if (key.type !== type) throw new UsageError(`expected a public key such as "ssh-ed25519 AAAA...", found ${JSON.stringify(line.slice(0, 60))}`);
  return key;
}

function publicKeyObject(key: SshPublicKey): KeyObject {
  const reader = new WireReader(key.blob);
  const type = reader.text();
  if (type === 'ssh-ed25519') {
    return createPublicKey({ format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', x: reader.string().toString('base64url') } });
  }
  const curve = curveOf(type);
  reader.string();
  const point = reader.string();
  if (point[0] !== 4 || point.length !== 1 + 2 * curve.bytes) throw new RangeError('not an uncompressed point');
  const [x, y] = [point.subarray(1, 1 + curve.bytes), point.subarray(1 + curve.bytes)];
  return createPublicKey({ format: 'jwk', key: { kty: 'EC', crv: curve.crv, x: x.toString('base64url'), y: y.toString('base64url') } });
}

/** True when `signature` (an SSH signature blob) is `key`'s over `data`. */
export function verifyBlob(key: SshPublicKey, data: Buffer, signature: Buffer): boolean {
  try {
    const reader = new WireReader(signature);
    if (reader.text() !== key.type) return false;
    const raw = reader.string();
    if (reader.rest.length > 0) return false;
    if (key.type === 'ssh-ed25519') return cryptoVerify(null, data, publicKeyObject(key), raw);
    const curve = curveOf(key.type);
    const parts = new WireReader(raw);
    const rs = Buffer.concat([unsignedOf(parts.string(), curve.bytes), unsignedOf(parts.string(), curve.bytes)]);
    return parts.rest.length === 0 && cryptoVerify(curve.hash, data, { key: publicKeyObject(key), dsaEncoding: 'ieee-p1363' }, rs);
  } catch {
    return false;
  }
}

function signBlob(type: string, key: KeyObject, data: Buffer): Buffer {
  if (type === 'ssh-ed25519') return Buffer.concat([string(type), string(cryptoSign(null, data, key))]);
  const curve = curveOf(type);
  const rs = cryptoSign(curve.hash, data, { key, dsaEncoding: 'ieee-p1363' });
  const raw = Buffer.concat([mpint(rs.subarray(0, curve.bytes)), mpint(rs.subarray(curve.bytes))]);
  return Buffer.concat([string(type), string(raw)]);
}

/** Reads an unencrypted key made by ssh-keygen (openssh-key-v1, PROTOCOL.key). An encrypted one goes through ssh-agent. */
export function parsePrivateKey(text: string, file: string): SshSigner {
  const match = /-----BEGIN OPENSSH PRIVATE KEY-----([\sA-Za-z0-9+/=]+)-----END OPENSSH PRIVATE KEY-----/.exec(text);
  if (match === null) throw new UsageError(`${file}: expected an OpenSSH private key (ssh-keygen -t ed25519), found something else`);
  try {
    const reader = new WireReader(Buffer.from(match[1] ?? '', 'base64'));
    if (reader.bytes(15).toString('latin1') !== 'openssh-key-v1\0') throw new RangeError('wrong magic');
    const cipher = reader.text();
    reader.string();
    reader.string();
    if (cipher !== 'none') throw new UsageError(`${file}: the key is protected by a passphrase; add it to ssh-agent (ssh-add ${file}) and give its public key file instead`);
    if (reader.uint32() !== 1) throw new RangeError('more than one key');
    const publicKey = parsePublicBlob(reader.string());
    const secret = new WireReader(reader.string());
    if (secret.uint32() !== secret.uint32()) throw new RangeError('check numbers differ');
    const type = secret.text();
    const { key, comment } = type === 'ssh-ed25519' ? ed25519Secret(secret) : ecdsaSecret(secret, type);
    return { publicKey, comment, sign: (data) => Promise.resolve(signBlob(type, key, data)) };
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`${file}: expected an ssh-ed25519 or ecdsa private key, found one that cannot be read (${error instanceof Error ? error.message : String(error)})`);
  }
}

function ed25519Secret(reader: WireReader): { key: KeyObject; comment: string } {
  const x = reader.string();
  const d = reader.string().subarray(0, 32);
  const key = createPrivateKey({ format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', x: x.toString('base64url'), d: d.toString('base64url') } });
  return { key, comment: reader.text() };
}

function ecdsaSecret(reader: WireReader, type: string): { key: KeyObject; comment: string } {
  const curve = curveOf(type);
  reader.string();
  const point = reader.string();
  const d = unsignedOf(reader.string(), curve.bytes);
  const jwk = {
    kty: 'EC',
    crv: curve.crv,
    x: point.subarray(1, 1 + curve.bytes).toString('base64url'),
    y: point.subarray(1 + curve.bytes).toString('base64url'),
    d: d.toString('base64url'),
  };
  return { key: createPrivateKey({ format: 'jwk', key: jwk }), comment: reader.text() };
}
