import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { agentSigner } from '../../../src/evidence/ssh/agent.js';
import { parseAllowedSigners, principalOf } from '../../../src/evidence/ssh/allowed-signers.js';
import { parsePrivateKey, parsePublicKeyLine, publicKeyLine } from '../../../src/evidence/ssh/keys.js';
import { parseSshSignature, sshSign, sshVerify } from '../../../src/evidence/ssh/sshsig.js';

const message = Buffer.from('what was reviewed\n');
let dir = '';
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'muster-ssh-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function keygen(name: string, ...options: string[]): string {
  const file = join(dir, name);
  execFileSync('ssh-keygen', ['-q', '-N', '', '-C', `${name}@example.org`, '-f', file, ...options]);
  return file;
}

function sshKeygenVerify(publicKey: string, signature: string, namespace: string): number | null {
  writeFileSync(join(dir, 'allowed'), `alice ${publicKey}\n`);
  writeFileSync(join(dir, 'sig'), signature);
  return spawnSync('ssh-keygen', ['-Y', 'verify', '-f', join(dir, 'allowed'), '-I', 'alice', '-n', namespace, '-s', join(dir, 'sig')], { input: message }).status;
}

describe.each([
  ['ed25519', ['-t', 'ed25519']],
  ['ecdsa-256', ['-t', 'ecdsa', '-b', '256']],
  ['ecdsa-384', ['-t', 'ecdsa', '-b', '384']],
])('%s keys made by ssh-keygen', (name, options) => {
  test('sign what ssh-keygen -Y verify accepts, and verify what ssh-keygen -Y sign wrote', async () => {
    const file = keygen(name, ...options);
    const signer = parsePrivateKey(readFileSync(file, 'utf8'), file);
    for (let round = 0; round < 20; round++) {
      const ours = await sshSign(message, 'muster-approval', signer);
      expect(sshKeygenVerify(publicKeyLine(signer.publicKey), ours, 'muster-approval')).toBe(0);
      expect(sshVerify(message, parseSshSignature(ours), 'muster-approval')).toBe(true);
      expect(sshVerify(message, parseSshSignature(ours), 'muster-drill')).toBe(false);
      expect(sshVerify(Buffer.from('something else'), parseSshSignature(ours), 'muster-approval')).toBe(false);
    }
    writeFileSync(join(dir, 'message'), message);
    rmSync(join(dir, 'message.sig'), { force: true });
    execFileSync('ssh-keygen', ['-q', '-Y', 'sign', '-f', file, '-n', 'muster-approval', join(dir, 'message')], { stdio: 'ignore' });
    const theirs = parseSshSignature(readFileSync(join(dir, 'message.sig'), 'utf8'));
    expect(sshVerify(message, theirs, 'muster-approval')).toBe(true);
    expect(publicKeyLine(theirs.publicKey)).toBe(publicKeyLine(signer.publicKey));
  });
});

test('no byte of a signature file can change unnoticed', async () => {
  const file = keygen('flip', '-t', 'ed25519');
  const signed = Buffer.from(await sshSign(message, 'muster-drill', parsePrivateKey(readFileSync(file, 'utf8'), file)));
  for (let at = 0; at < signed.length; at++) {
    const flipped = Buffer.from(signed);
    flipped[at] = (flipped[at] ?? 0) ^ 1;
    let accepted = false;
    try {
      const parsed = parseSshSignature(flipped.toString('latin1'));
      accepted = sshVerify(message, parsed, 'muster-drill') && parsed.publicKey.blob.equals(parsePublicKeyLine(readFileSync(`${file}.pub`, 'utf8')).blob);
    } catch (error) {
      expect(error).toBeInstanceOf(Error);
    }
    expect(accepted, `byte ${at}`).toBe(false);
  }
});

test('a key with a passphrase is signed with through ssh-agent', async () => {
  const file = keygen('agent', '-t', 'ed25519');
  const agent = execFileSync('ssh-agent', ['-a', join(dir, 'agent.sock'), '-s'], { encoding: 'utf8' });
  const pid = Number(/SSH_AGENT_PID=(\d+)/.exec(agent)?.[1]);
  try {
    const wanted = parsePublicKeyLine(readFileSync(`${file}.pub`, 'utf8'));
    await expect(agentSigner(wanted, join(dir, 'agent.sock'))).rejects.toThrow(/does not hold SHA256:/);
    execFileSync('ssh-add', ['-q', file], { env: { ...process.env, SSH_AUTH_SOCK: join(dir, 'agent.sock') }, stdio: 'ignore' });
    const signer = await agentSigner(wanted, join(dir, 'agent.sock'));
    const signature = await sshSign(message, 'muster-approval', signer);
    expect(sshKeygenVerify(publicKeyLine(wanted), signature, 'muster-approval')).toBe(0);
  } finally {
    process.kill(pid);
  }
  execFileSync('ssh-keygen', ['-q', '-p', '-N', 'secret passphrase', '-f', file]);
  expect(() => parsePrivateKey(readFileSync(file, 'utf8'), file)).toThrow(/protected by a passphrase; add it to ssh-agent/);
});

test('allowed_signers names the principal within its namespaces and dates', () => {
  const line = readFileSync(`${keygen('dates', '-t', 'ed25519')}.pub`, 'utf8').trim();
  const key = parsePublicKeyLine(line);
  const signers = parseAllowedSigners(
    `# reviewers\nbob@example.org,b namespaces="muster-approval",valid-after="20260101Z",valid-before="20270101000000Z" ${line}\n`,
    'allowed',
  );
  const inside = Date.parse('2026-06-01T00:00:00Z');
  expect(principalOf(signers, key, 'muster-approval', inside)).toBe('bob@example.org');
  expect(principalOf(signers, key, 'muster-drill', inside)).toBeUndefined();
  expect(principalOf(signers, key, 'muster-approval', Date.parse('2027-06-01T00:00:00Z'))).toBeUndefined();
  expect(() => parseAllowedSigners('bob nonsense\n', 'allowed')).toThrow(/^allowed:1: expected/);
});
