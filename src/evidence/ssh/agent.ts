import { connect } from 'node:net';
import { UsageError } from '../../engine/errors.js';
import { fingerprint, parsePublicBlob, type SshPublicKey, type SshSigner } from './keys.js';
import { WireReader, string, uint32 } from './wire.js';

/** The SSH agent protocol (draft-miller-ssh-agent): list identities, sign. */
const message = { requestIdentities: 11, identitiesAnswer: 12, signRequest: 13, signResponse: 14 } as const;

function ask(socketPath: string, type: number, payload: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = connect(socketPath);
    let received = Buffer.alloc(0);
    socket.setTimeout(30_000, () => socket.destroy(new Error('ssh-agent did not answer within 30 s')));
    socket.on('error', (error) => reject(new UsageError(`ssh-agent at ${socketPath}: ${error.message}`)));
    socket.on('close', () => reject(new UsageError(`ssh-agent at ${socketPath} closed the connection`)));
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < 4 || received.length < 4 + received.readUInt32BE()) return;
      resolve(received.subarray(4, 4 + received.readUInt32BE()));
      socket.destroy();
    });
    socket.write(string(Buffer.concat([Buffer.from([type]), payload])));
  });
}

async function identities(socketPath: string): Promise<{ key: SshPublicKey; comment: string }[]> {
  const reader = new WireReader(await ask(socketPath, message.requestIdentities, Buffer.alloc(0)));
  if (reader.bytes(1)[0] !== message.identitiesAnswer) throw new UsageError('ssh-agent refused to list its keys');
  return Array.from({ length: reader.uint32() }, () => ({ key: parsePublicBlob(reader.string()), comment: reader.text() }));
}

/** A signer for `wanted` through the agent that SSH_AUTH_SOCK names. Throws UsageError when there is none or it lacks the key. */
export async function agentSigner(wanted: SshPublicKey, socketPath = process.env['SSH_AUTH_SOCK']): Promise<SshSigner> {
  if (socketPath === undefined || socketPath === '') throw new UsageError('a public key was given, but no ssh-agent is running (SSH_AUTH_SOCK is not set)');
  const held = await identities(socketPath);
  const match = held.find(({ key }) => key.blob.equals(wanted.blob));
  if (match === undefined) throw new UsageError(`ssh-agent does not hold ${fingerprint(wanted)}; add it with ssh-add`);
  return {
    publicKey: wanted,
    comment: match.comment,
    async sign(data) {
      const reader = new WireReader(await ask(socketPath, message.signRequest, Buffer.concat([string(wanted.blob), string(data), uint32(0)])));
      if (reader.bytes(1)[0] !== message.signResponse) throw new UsageError('ssh-agent refused to sign');
      return reader.string();
    },
  };
}
