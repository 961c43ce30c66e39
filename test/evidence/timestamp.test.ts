import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openBundle } from '../../src/evidence/bag.js';
import { parseAllowedSigners } from '../../src/evidence/ssh/allowed-signers.js';
import { parsePrivateKey, publicKeyLine } from '../../src/evidence/ssh/keys.js';
import { generateKey } from '../../src/evidence/ssh/private-key.js';
import { timestamper } from '../../src/evidence/timestamp.js';
import { verifyBundle } from '../../src/evidence/verify.js';
import { copyOf, runReadme, workFolder, writeSample } from './lib/bundle.js';
import { sampleRun } from './lib/sample.js';

const openssl = spawnSync('openssl', ['version']).status === 0;

// A real authority: openssl answers, over HTTP. Where openssl is missing this is NOT RUN, and so are timestamps.
describe.skipIf(!openssl)('a timestamp over the seal', () => {
  let folder: Awaited<ReturnType<typeof workFolder>>;
  let server: Server;
  let url: string;
  let bundle: string;
  const signer = parsePrivateKey(generateKey('ed25519', 'alice').privateText, 'alice');
  const line = publicKeyLine(signer.publicKey);
  const at = (name: string) => join(folder.path, name);

  /** A root of its own and a certificate that may stamp times. */
  const authority = (name: string) => {
    const run = (...args: string[]) => execFileSync('openssl', args, { cwd: folder.path, stdio: 'ignore' });
    run('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', `${name}-ca.key`, '-out', `${name}-ca.pem`, '-subj', `/CN=${name} root`, '-days', '30');
    run('req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`);
    writeFileSync(at('stamping.ext'), 'extendedKeyUsage = critical,timeStamping\n');
    run('x509', '-req', '-in', `${name}.csr`, '-CA', `${name}-ca.pem`, '-CAkey', `${name}-ca.key`, '-CAcreateserial', '-days', '30', '-extfile', 'stamping.ext', '-out', `${name}.pem`);
  };

  beforeAll(async () => {
    folder = await workFolder();
    authority('stamper');
    authority('stranger');
    writeFileSync(at('tsa.cnf'), '[tsa]\ndefault_tsa = stamper\n[stamper]\nserial = serial\ndefault_policy = 1.2.3.4\ndigests = sha256\nsigner_digest = sha256\ncrypto_device = builtin\n');
    server = createServer((request, response) => {
      const parts: Buffer[] = [];
      request.on('data', (part: Buffer) => parts.push(part));
      request.on('end', () => {
        if (request.url !== '/stamp') return response.writeHead(500).end('out of order');
        writeFileSync(at('query'), Buffer.concat(parts));
        const { stdout } = spawnSync('openssl', ['ts', '-reply', '-config', 'tsa.cnf', '-queryfile', 'query', '-signer', 'stamper.pem', '-inkey', 'stamper.key', '-chain', 'stamper-ca.pem'], { cwd: folder.path });
        return response.writeHead(200, { 'content-type': 'application/timestamp-reply' }).end(stdout);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    bundle = (await writeSample(folder.path, { every: 4000 }, { signer, timestamper: await timestamper(`${url}/stamp`) })).path;
  });
  afterAll(async () => {
    await new Promise((resolve) => server.close(resolve));
    await folder.remove();
  });

  const verify = (path: string, ca: string, signers = `alice ${line}\n`) => verifyBundle(path, { allowedSigners: parseAllowedSigners(signers, 'signers'), timestampCa: at(ca) });
  const codes = async (...args: Parameters<typeof verify>) => (await verify(...args)).defects.map(({ code }) => code);

  it('is vouched for by its authority, to muster verify and to openssl as README.txt says', async () => {
    const { defects, checked } = await verify(bundle, 'stamper-ca.pem');
    expect(defects).toEqual([]);
    expect(checked.join('\n')).toMatch(/the timestamp: the seal was there at \d{4}-/);
    writeFileSync(at('signers'), `alice ${line}\n`);
    const said = runReadme(bundle, { ALLOWED_SIGNERS: at('signers'), SIGNER: 'alice', TIMESTAMP_CA: at('stamper-ca.pem') });
    expect(said.code).toBe(0);
    expect(said.stdout).toContain('Verification: OK');
  });

  it('is said not to be checked without an authority that the reader trusts, and is a defect for another', async () => {
    expect((await verifyBundle(bundle)).notes.join('\n')).toContain('its timestamp was not checked');
    expect(await codes(bundle, 'stranger-ca.pem')).toEqual(['timestamp-broken']);
  });

  it('cannot be taken away, changed or put on another seal', async () => {
    const copy = await copyOf(bundle, 'damaged');
    const token = readFileSync(join(copy, 'sig/seal.tsr'));
    token[token.length - 1] = (token.at(-1) ?? 0) ^ 1;
    writeFileSync(join(copy, 'sig/seal.tsr'), token);
    expect(await codes(copy, 'stamper-ca.pem')).toEqual(expect.arrayContaining(['timestamp-broken', 'statement-differs']));
    rmSync(join(copy, 'sig/seal.tsr'));
    expect((await verifyBundle(copy)).defects.map(({ code }) => code)).toEqual(['statement-differs']);
    const other = await writeSample(at('other'), { every: 4000, title: 'Another' }, { signer });
    writeFileSync(join(other.path, 'sig/seal.tsr'), readFileSync(join(bundle, 'sig/seal.tsr')));
    expect(await codes(other.path, 'stamper-ca.pem')).toContain('timestamp-broken');
    rmSync(join(other.path, 'sig/seal.tsr'));
    expect(await codes(other.path, 'stamper-ca.pem')).toEqual(['timestamp-broken']);
  });

  it('says when the key was used: a key that expires later was good then', async () => {
    expect(await codes(bundle, 'stamper-ca.pem', `alice valid-after="20200101Z",valid-before="20990101Z" ${line}\n`)).toEqual([]);
    expect(await codes(bundle, 'stamper-ca.pem', `alice valid-before="20200101Z" ${line}\n`)).toEqual(['wrong-signer']);
  });

  it('that an authority does not give leaves the bundle whole and unsigned, and says why', async () => {
    const sample = sampleRun({ every: 4000 });
    mkdirSync(at('refused'));
    const { path, seal } = await (await openBundle(at('refused'), sample.runId)).finish({ ...sample, logsDir: null, sealer: { signer, timestamper: await timestamper(`${url}/broken`) } });
    expect(seal).toMatchObject({ error: { message: expect.stringContaining('answered 500') } });
    expect((await verifyBundle(path)).defects).toEqual([]);
    await expect(timestamper('ftp://example.org')).rejects.toThrow(/http address of a timestamp authority/);
  });
});
