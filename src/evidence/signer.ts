import { readFile } from 'node:fs/promises';
import { UsageError, messageOf } from '../engine/errors.js';
import { agentSigner } from './ssh/agent.js';
import { parsePrivateKey, parsePublicKeyLine, type SshSigner } from './ssh/keys.js';

/** What the seal's two forms, SSHSIG and DSSE, and every tool that checks them have in common. */
export const sealKeyTypes: readonly string[] = ['ssh-ed25519', 'ecdsa-sha2-nistp256'];

/**
 * Whoever signs: `file` is a private key, or a public key whose private half ssh-agent holds (`agentSocket`). Throws
 * UsageError when it is neither, protected by a passphrase, of another type, or not in the agent.
 */
export async function openSigner(file: string, agentSocket: string | undefined): Promise<SshSigner> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new UsageError(`cannot read the key: ${messageOf(error)}`);
  });
  const signer = /PRIVATE KEY-----/.test(text) ? parsePrivateKey(text, file) : await agentSigner(publicKey(text, file), agentSocket ?? '');
  if (!sealKeyTypes.includes(signer.publicKey.type)) throw new UsageError(`${file}: a seal needs a key of the type ${sealKeyTypes.join(' or ')}, found ${signer.publicKey.type}`);
  return signer;
}

function publicKey(text: string, file: string): ReturnType<typeof parsePublicKeyLine> {
  try {
    return parsePublicKeyLine(text);
  } catch {
    throw new UsageError(`${file}: expected an OpenSSH private key, or the public key of one that ssh-agent holds; \`muster keygen\` makes one`);
  }
}
