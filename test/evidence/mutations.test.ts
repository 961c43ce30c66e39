import { appendFileSync, mkdirSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseAllowedSigners, type AllowedSigner } from '../../src/evidence/ssh/allowed-signers.js';
import { parsePrivateKey, publicKeyLine } from '../../src/evidence/ssh/keys.js';
import { generateKey } from '../../src/evidence/ssh/private-key.js';
import { verifyBundle } from '../../src/evidence/verify.js';
import { copyOf, filesOf, runReadme, workFolder, writeSample } from './lib/bundle.js';
import { randomOf, testSeed } from './lib/random.js';

/**
 * Whatever is done to a sealed bundle is found, by `muster verify` and by the commands of its README.txt alike. npm test tries some
 * bytes, `npm run test:exhaustive` every one of the small files.
 */
const exhaustive = process.env['MUSTER_TEST_EXHAUSTIVE'] === '1';
const seed = testSeed();
const smallFile = 8 * 1024;

let folder: Awaited<ReturnType<typeof workFolder>>;
let bundle: string;
let copy: string;
let signers: readonly AllowedSigner[];
let env: Readonly<Record<string, string>>;
beforeAll(async () => {
  folder = await workFolder();
  const signer = parsePrivateKey(generateKey('ecdsa', 'alice').privateText, 'alice');
  const text = `alice ${publicKeyLine(signer.publicKey)}\n`;
  signers = parseAllowedSigners(text, 'signers');
  writeFileSync(join(folder.path, 'signers'), text);
  env = { ALLOWED_SIGNERS: join(folder.path, 'signers'), SIGNER: 'alice' };
  // Few events: both ways of checking read the whole journal for each byte.
  bundle = (await writeSample(folder.path, { every: 4000 }, { signer })).path;
  copy = await copyOf(bundle, 'mutated');
});
afterAll(() => folder.remove());

const caught = async () => (await verifyBundle(copy, { allowedSigners: signers })).defects.length > 0;
const files = () => filesOf(bundle);
const content = (file: string) => readFileSync(join(bundle, file));

it('nothing is found in the bundle as it is', async () => {
  expect((await verifyBundle(copy, { allowedSigners: signers })).defects).toEqual([]);
  expect(runReadme(copy, env).code).toBe(0);
});

describe(`a flipped byte (MUSTER_TEST_SEED=${seed})`, () => {
  const places = (file: string, random: (below: number) => number, most: number): number[] => {
    const { length } = content(file);
    if (exhaustive && length <= smallFile) return Array.from({ length }, (_, at) => at);
    return [...new Set([0, length - 1, ...Array.from({ length: most }, () => random(length))])];
  };
  const flipped = (file: string, at: number, bit: number) => {
    const damaged = Buffer.from(content(file));
    damaged[at] = (damaged[at] ?? 0) ^ (1 << bit);
    return damaged;
  };

  it('in any file is found by muster verify', async () => {
    const random = randomOf(seed);
    const unseen: string[] = [];
    for (const file of files()) {
      for (const at of places(file, random, 6)) {
        writeFileSync(join(copy, file), flipped(file, at, random(8)));
        if (!(await caught())) unseen.push(`${file} at ${at}`);
      }
      writeFileSync(join(copy, file), content(file));
    }
    expect(unseen).toEqual([]);
  }, exhaustive ? 3_600_000 : 120_000);

  it('in any file is found by the standard tools', () => {
    const random = randomOf(seed + 1);
    const unseen: string[] = [];
    for (const file of files()) {
      for (const at of exhaustive ? places(file, random, 50).filter((_, n) => n % 7 === 0) : places(file, random, 1).slice(1)) {
        writeFileSync(join(copy, file), flipped(file, at, random(8)));
        // A README that was changed is not the one that a reader should take commands from.
        if (file !== 'README.txt' && runReadme(copy, env).code === 0) unseen.push(`${file} at ${at}`);
      }
      writeFileSync(join(copy, file), content(file));
    }
    expect(unseen).toEqual([]);
  }, exhaustive ? 3_600_000 : 120_000);
});

describe('a file', () => {
  const restore = async () => void (copy = await copyOf(bundle, 'mutated'));
  const names = ['planted', 'data/planted', 'data/evidence/planted.json', 'data/logs/planted.log', 'sig/planted', 'sig/.hidden', '.hidden', 'data/..data'];

  it.each(names)('added as %s', async (name) => {
    mkdirSync(dirname(join(copy, name)), { recursive: true });
    writeFileSync(join(copy, name), '');
    expect(await caught()).toBe(true);
    expect(runReadme(copy, env).code).not.toBe(0);
    await restore();
  });

  it('that is removed, renamed, truncated, lengthened or emptied is found, whichever it is', async () => {
    const unseen: string[] = [];
    for (const file of files()) {
      const path = join(copy, file);
      for (const [what, damage] of [
        ['removed', () => rmSync(path)],
        ['renamed', () => renameSync(path, `${path}x`)],
        ['truncated', () => truncateSync(path, content(file).length - 1)],
        ['lengthened', () => appendFileSync(path, '\n')],
        ['emptied', () => truncateSync(path)],
      ] as const) {
        damage();
        if (!(await caught())) unseen.push(`${file} ${what}`);
        rmSync(`${path}x`, { force: true });
        writeFileSync(path, content(file));
      }
    }
    expect(unseen).toEqual([]);
    expect(await caught()).toBe(false);
  }, 120_000);

  it('swapped with another of its folder is found by both', async () => {
    for (const [one, two] of [['data/evidence/backup.json', 'data/evidence/wal-end.json'], ['data/runbook.yaml', 'data/environment.yaml'], ['bagit.txt', 'bag-info.txt'], ['sig/seal.sig', 'sig/drill.intoto.jsonl']] as const) {
      writeFileSync(join(copy, one), content(two));
      writeFileSync(join(copy, two), content(one));
      expect(await caught(), one).toBe(true);
      expect(runReadme(copy, env).code, one).not.toBe(0);
      await restore();
    }
  });
});
