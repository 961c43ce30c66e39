import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { parsePublicBlob, type SshPublicKey } from './keys.js';
import { mpint, string, uint32 } from './wire.js';

export interface GeneratedKey {
  readonly publicKey: SshPublicKey;
  /** An OpenSSH private key file, without a passphrase (PROTOCOL.key). */
  readonly privateText: string;
}

const keyTypes = ['ed25519', 'ecdsa'] as const;
export type KeyType = (typeof keyTypes)[number];

/** A new key in the form that ssh-keygen reads and writes. `ecdsa` is on P-256. */
export function generateKey(type: KeyType, comment: string): GeneratedKey {
  const { blob, secret } = type === 'ed25519' ? ed25519() : ecdsa();
  const check = randomBytes(4);
  const inner = Buffer.concat([check, check, secret, string(comment)]);
  const padding = Buffer.from(Array.from({ length: (8 - (inner.length % 8)) % 8 }, (_, n) => n + 1));
  const file = Buffer.concat([Buffer.from('openssh-key-v1\0'), string('none'), string('none'), string(''), uint32(1), string(blob), string(Buffer.concat([inner, padding]))]);
  const lines = file.toString('base64').match(/.{1,70}/g) ?? [];
  return { publicKey: parsePublicBlob(blob), privateText: ['-----BEGIN OPENSSH PRIVATE KEY-----', ...lines, '-----END OPENSSH PRIVATE KEY-----', ''].join('\n') };
}

interface Parts {
  readonly blob: Buffer;
  readonly secret: Buffer;
}

const bytes = (base64url: string | undefined): Buffer => Buffer.from(base64url ?? '', 'base64url');

function ed25519(): Parts {
  const { x, d } = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
  return {
    blob: Buffer.concat([string('ssh-ed25519'), string(bytes(x))]),
    secret: Buffer.concat([string('ssh-ed25519'), string(bytes(x)), string(Buffer.concat([bytes(d), bytes(x)]))]),
  };
}

function ecdsa(): Parts {
  const { x, y, d } = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' });
  const blob = Buffer.concat([string('ecdsa-sha2-nistp256'), string('nistp256'), string(Buffer.concat([Buffer.from([4]), bytes(x), bytes(y)]))]);
  return { blob, secret: Buffer.concat([blob, mpint(bytes(d))]) };
}
