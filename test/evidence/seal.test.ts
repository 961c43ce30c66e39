import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { canonicalJson, sha256 } from '../../src/engine/canonical.js';
import type { DrillEvent } from '../../src/engine/events.js';
import { openBundle } from '../../src/evidence/bag.js';
import { sealBundle, UnsoundBundleError } from '../../src/evidence/seal-bundle.js';
import { openSigner } from '../../src/evidence/signer.js';
import { parseAllowedSigners, type AllowedSigner } from '../../src/evidence/ssh/allowed-signers.js';
import { parsePrivateKey, publicKeyLine, type SshSigner } from '../../src/evidence/ssh/keys.js';
import { generateKey } from '../../src/evidence/ssh/private-key.js';
import { sshSign } from '../../src/evidence/ssh/sshsig.js';
import { verifyBundle } from '../../src/evidence/verify.js';
import { copyOf, recomputeManifests, runReadme, workFolder, writeSample } from './lib/bundle.js';
import { chained, sampleRun } from './lib/sample.js';

interface Person {
  readonly signer: SshSigner;
  readonly signers: readonly AllowedSigner[];
  /** The allowed_signers file. */
  readonly file: string;
}

let folder: Awaited<ReturnType<typeof workFolder>>;
const people = new Map<string, Person>();
const person = (name: string): Person => {
  const found = people.get(name);
  if (found === undefined) throw new RangeError(name);
  return found;
};
const bundles = new Map<string, string>();
const bundle = (type: string) => bundles.get(type) ?? '';

beforeAll(async () => {
  folder = await workFolder();
  for (const [name, type] of [['alice', 'ed25519'], ['bob', 'ecdsa'], ['eve', 'ed25519']] as const) {
    const signer = parsePrivateKey(generateKey(type, name).privateText, name);
    const text = `# people\n${name} namespaces="muster-drill,muster-approval" ${publicKeyLine(signer.publicKey)}\n`;
    const file = join(folder.path, `${name}.signers`);
    writeFileSync(file, text);
    people.set(name, { signer, signers: parseAllowedSigners(text, file), file });
  }
  for (const [type, name] of [['ed25519', 'alice'], ['ecdsa', 'bob']] as const) {
    bundles.set(type, (await writeSample(join(folder.path, type), { every: 500 }, { signer: person(name).signer })).path);
  }
});
afterAll(() => folder.remove());

const codes = async (path: string, allowedSigners?: readonly AllowedSigner[]) => (await verifyBundle(path, allowedSigners === undefined ? {} : { allowedSigners })).defects.map(({ code }) => code);
const payloads = (path: string) =>
  readFileSync(join(path, 'sig/drill.intoto.jsonl'), 'utf8').trimEnd().split('\n').map((line) => JSON.parse(Buffer.from((JSON.parse(line) as { payload: string }).payload, 'base64').toString()) as { predicateType: string; subject: unknown; predicate: Record<string, unknown> });

describe.each([['ed25519', 'alice'], ['ecdsa', 'bob']])('a seal with %s', (type, name) => {
  it('holds against allowed signers, names who made it, and is accepted by ssh-keygen and openssl as README.txt says', async () => {
    const { defects, seal, checked } = await verifyBundle(bundle(type), { allowedSigners: person(name).signers });
    expect(defects).toEqual([]);
    expect(seal?.principal).toBe(name);
    expect(checked.join('\n')).toContain(`signed by ${name} (SHA256:`);
    const said = runReadme(bundle(type), { ALLOWED_SIGNERS: person(name).file, SIGNER: name });
    expect(said).toMatchObject({ code: 0, stderr: '' });
    expect(said.stdout).toMatch(new RegExp(`^Good "muster-drill" signature for ${name} with \\S+ key SHA256:\\S+\\n$`));
  });

  it('shows no more than consistency without allowed signers, and is a defect when the signer is not among them', async () => {
    const { defects, notes, seal } = await verifyBundle(bundle(type));
    expect(defects).toEqual([]);
    expect(seal?.principal).toBeNull();
    expect(notes.join('\n')).toMatch(/nothing says whose key/);
    expect(await codes(bundle(type), person('eve').signers)).toEqual(['wrong-signer']);
    expect(runReadme(bundle(type), { ALLOWED_SIGNERS: person('eve').file, SIGNER: 'eve' }).code).not.toBe(0);
  });

  it('is on no other bundle', async () => {
    const other = await writeSample(join(folder.path, `other-${type}`), { title: 'Another drill' });
    cpSync(join(bundle(type), 'sig'), join(other.path, 'sig'), { recursive: true });
    expect(await codes(other.path)).toEqual(['seal-broken']);
  });

  it('has statements that say what the bundle says', () => {
    const [ours, generic] = payloads(bundle(type));
    const subject = [{ name: 'tagmanifest-sha256.txt', digest: { sha256: sha256(readFileSync(join(bundle(type), 'tagmanifest-sha256.txt'))) } }];
    const drill = JSON.parse(readFileSync(join(bundle(type), 'data/drill.json'), 'utf8')) as { verdict: string; rto: { valueMs: number } };
    expect(ours).toMatchObject({ predicateType: expect.stringMatching(/\/v1$/), subject, predicate: { verdict: drill.verdict, rto: { valueMs: drill.rto.valueMs }, timestamp: null } });
    expect(generic).toMatchObject({ predicateType: 'https://in-toto.io/attestation/test-result/v0.1', subject, predicate: { result: drill.verdict === 'passed' ? 'PASSED' : 'FAILED' } });
  });
});

describe('under the seal', () => {
  it.each([
    ['the seal', 'unexpected-file', (path: string) => rmSync(join(path, 'sig/seal.sig'))],
    ['the statements', 'missing-file', (path: string) => rmSync(join(path, 'sig/drill.intoto.jsonl'))],
    ['both', 'unsigned', (path: string) => rmSync(join(path, 'sig'), { recursive: true })],
  ])('%s cannot go unnoticed', async (what, code, damage) => {
    const copy = await copyOf(bundle('ed25519'), `without-${what.replaceAll(' ', '-')}`);
    damage(copy);
    expect(await codes(copy, person('alice').signers)).toContain(code);
  });

  it.each([
    ['a file', (path: string) => writeFileSync(join(path, 'sig/notes.txt'), '')],
    ['a folder', (path: string) => mkdirSync(join(path, 'sig/more'))],
    ['a file with an approval-like name', (path: string) => writeFileSync(join(path, 'sig/approval-a b.json'), '{}\n')],
  ])('nothing else stands in sig/: %s', async (what, damage) => {
    const copy = await copyOf(bundle('ed25519'), `more-${what.replaceAll(' ', '-')}`);
    damage(copy);
    expect(await codes(copy)).toContain('unexpected-file');
    expect(runReadme(copy, { ALLOWED_SIGNERS: person('alice').file, SIGNER: 'alice' }).code).not.toBe(0);
  });

  it('statements of the same key about another verdict, swapped lines and other forms are found', async () => {
    const copy = await copyOf(bundle('ed25519'), 'statements');
    const file = join(copy, 'sig/drill.intoto.jsonl');
    const text = readFileSync(file, 'utf8');
    const [first = '', second = ''] = text.split('\n');
    const other = await writeSample(join(folder.path, 'second'), { every: 500, rtoMs: 1 }, { signer: person('alice').signer });
    for (const [changed, code] of [
      [`${second}\n${first}\n`, 'statement-differs'],
      [readFileSync(join(other.path, 'sig/drill.intoto.jsonl'), 'utf8'), 'statement-differs'],
      [`${first}\n`, 'signature-form'],
      [`${text}\n`, 'signature-form'],
      [text.replace('{"payload"', '{ "payload"'), 'signature-form'],
      [text.replace('"signatures":[', `"signatures":[{"keyid":"x","sig":""},`), 'signature-form'],
      ['['.repeat(100_000), 'signature-form'],
    ] as const) {
      writeFileSync(file, changed);
      expect(await codes(copy), changed.slice(0, 40)).toContain(code);
    }
  });

  it('whoever lacks the key can rewrite the whole bundle consistently, and is found by the seal alone', async () => {
    const sample = sampleRun({ every: 500 });
    const events = sample.events.map((event) => (event.type === 'probe.sample' ? { ...event, data: { ...event.data, read: true, write: true } } : event));
    const dir = join(folder.path, 'forged');
    const written = await (await openBundle(dir, sample.runId)).finish({ ...sample, journalText: chained(events as DrillEvent[]), logsDir: null });
    cpSync(join(bundle('ed25519'), 'sig'), join(written.path, 'sig'), { recursive: true });
    expect(await codes(written.path, person('alice').signers)).toEqual(['seal-broken']);
    // Sealed again with another key, it is sound, but not for whoever knows the signers.
    rmSync(join(written.path, 'sig'), { recursive: true });
    await sealBundle(written.path, { signer: person('eve').signer });
    expect(await codes(written.path)).toEqual([]);
    expect(await codes(written.path, person('alice').signers)).toEqual(['wrong-signer']);
  });

  it('a verdict edited under manifests that fit is found by ssh-keygen too', async () => {
    const copy = await copyOf(bundle('ed25519'), 'verdict');
    const file = join(copy, 'data/drill.json');
    const drill = JSON.parse(readFileSync(file, 'utf8')) as { rto: object };
    Object.assign(drill.rto, { valueMs: 1 });
    writeFileSync(file, `${canonicalJson(drill)}\n`);
    recomputeManifests(copy);
    expect(await codes(copy, person('alice').signers)).toEqual(expect.arrayContaining(['verdict-differs', 'seal-broken']));
    expect(runReadme(copy, { ALLOWED_SIGNERS: person('alice').file, SIGNER: 'alice' }).code).not.toBe(0);
  });

  it('a key is taken only while its line in allowed_signers is valid, and only for the namespace of seals', async () => {
    const line = publicKeyLine(person('alice').signer.publicKey);
    const { path } = await writeSample(join(folder.path, 'lines'), { every: 500 }, { signer: person('alice').signer });
    for (const options of ['valid-before="20200101Z"', 'valid-after="20990101Z"', 'namespaces="muster-approval"']) expect(await codes(path, parseAllowedSigners(`alice ${options} ${line}\n`, 'signers')), options).toEqual(['wrong-signer']);
  });
});

describe('an approval beside the seal', () => {
  const approve = async (path: string, who: string, change: (text: string) => string = (text) => text) => {
    const plan = JSON.parse(readFileSync(join(path, 'data/plan.json'), 'utf8')) as { digest: string };
    const text = `${canonicalJson({ plan: plan.digest, at: '2026-11-20T07:00:00.000Z' })}\n`;
    const signature = await sshSign(Buffer.from(text), 'muster-approval', person(who).signer);
    mkdirSync(join(path, 'sig'), { recursive: true });
    writeFileSync(join(path, `sig/approval-${who}.json`), change(text));
    writeFileSync(join(path, `sig/approval-${who}.json.sig`), signature);
  };
  const both = () => [...person('alice').signers, ...person('bob').signers];

  it('can be added later without breaking it, and counts by its own signature', async () => {
    const copy = await copyOf(bundle('ed25519'), 'approved');
    await approve(copy, 'bob');
    const { defects, checked } = await verifyBundle(copy, { allowedSigners: both() });
    expect(defects).toEqual([]);
    expect(checked.join('\n')).toContain('sig/approval-bob.json: signed by bob');
    expect(await codes(copy, person('alice').signers)).toEqual(['wrong-signer']);
    const everybody = join(copy, '..', 'everybody');
    writeFileSync(everybody, readFileSync(person('alice').file, 'utf8') + readFileSync(person('bob').file, 'utf8'));
    const read = runReadme(copy, { ALLOWED_SIGNERS: everybody, SIGNER: 'alice' });
    expect([read.code, read.stdout]).toEqual([0, expect.stringMatching(/Good "muster-approval" signature for bob/)]);
    const stranger = runReadme(copy, { ALLOWED_SIGNERS: person('alice').file, SIGNER: 'alice' });
    expect([stranger.code, stranger.stdout]).toEqual([1, expect.stringContaining('sig/approval-bob.json is not signed by any of the allowed signers')]);
  });

  it.each([
    ['changed', (path: string) => approve(path, 'bob', (text) => text.replace('2026', '2027'))],
    ['of another plan', (path: string) => approve(path, 'bob', (text) => text.replace(/"plan":"./, '"plan":"x'))],
    ['without its signature', async (path: string) => (await approve(path, 'bob'), rmSync(join(path, 'sig/approval-bob.json.sig')))],
    ['of which only the signature is left', async (path: string) => (await approve(path, 'bob'), rmSync(join(path, 'sig/approval-bob.json')))],
    ['whose signature is for another use', async (path: string) => (await approve(path, 'bob'), cpSync(join(path, 'sig/seal.sig'), join(path, 'sig/approval-bob.json.sig')))],
    ['that is another form of the same', (path: string) => approve(path, 'bob', (text) => text.replace(':', ': '))],
  ])('is a defect when %s', async (name, add) => {
    const copy = await copyOf(bundle('ed25519'), `approval-${name.replaceAll(' ', '-')}`);
    await add(copy);
    expect(await codes(copy, both())).toContain('approval-broken');
  });
});

describe('sealing', () => {
  it('keeps a bundle whose signer is gone, whole and unsigned', async () => {
    const sample = sampleRun({ every: 500 });
    const gone: SshSigner = { ...person('alice').signer, sign: () => Promise.reject(new Error('the agent is gone')) };
    const { path, seal } = await (await openBundle(join(folder.path, 'gone'), sample.runId)).finish({ ...sample, logsDir: null, sealer: { signer: gone } });
    expect(seal).toMatchObject({ error: { message: 'the agent is gone' } });
    expect(existsSync(join(path, 'sig'))).toBe(false);
    expect(await codes(path)).toEqual([]);
    await sealBundle(path, { signer: person('alice').signer });
    expect(await codes(path, person('alice').signers)).toEqual([]);
    expect(readdirSync(join(path, 'sig')).toSorted()).toEqual(['drill.intoto.jsonl', 'seal.sig']);
    await expect(sealBundle(path, { signer: person('alice').signer })).rejects.toThrow(/sealed already/);
  });

  it('puts nobody\'s name to a bundle that is not sound', async () => {
    const { path } = await writeSample(join(folder.path, 'unsound'), { every: 500 });
    renameSync(join(path, 'data/logs/restore.log'), join(path, 'data/logs/other.log'));
    await expect(sealBundle(path, { signer: person('alice').signer })).rejects.toThrow(UnsoundBundleError);
    expect(existsSync(join(path, 'sig'))).toBe(false);
  });

  it('takes only keys that every tool can check', async () => {
    const file = join(folder.path, 'p384');
    execFileSync('ssh-keygen', ['-q', '-t', 'ecdsa', '-b', '384', '-N', '', '-f', file]);
    await expect(openSigner(file, undefined)).rejects.toThrow(/ssh-ed25519 or ecdsa-sha2-nistp256, found ecdsa-sha2-nistp384/);
    await expect(openSigner(`${file}.pub`, undefined)).rejects.toThrow(/no ssh-agent is running/);
    await expect(openSigner(person('alice').file, undefined)).rejects.toThrow(/expected an OpenSSH private key/);
    await expect(openSigner(join(folder.path, 'none'), undefined)).rejects.toThrow(/cannot read the key/);
  });
});

describe('a generated key', () => {
  it.each(['ed25519', 'ecdsa'] as const)('of the type %s is read by ssh-keygen, which finds the same public key', (type) => {
    for (let n = 0; n < 10; n += 1) {
      const file = join(folder.path, `made-${type}-${n}`);
      const { privateText, publicKey } = generateKey(type, 'a comment');
      writeFileSync(file, privateText, { mode: 0o600 });
      expect(execFileSync('ssh-keygen', ['-y', '-f', file], { encoding: 'utf8' }).trim().split(' ').slice(0, 2).join(' ')).toBe(publicKeyLine(publicKey));
    }
  });
});
