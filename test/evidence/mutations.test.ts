import { appendFileSync, mkdirSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { canonicalJson, sha256 } from '../../src/engine/canonical.js';
import type { DrillEvent } from '../../src/engine/events.js';
import { openBundle } from '../../src/evidence/bag.js';
import { reviewText } from '../../src/evidence/review.js';
import { parseAllowedSigners, type AllowedSigner } from '../../src/evidence/ssh/allowed-signers.js';
import { parsePrivateKey, publicKeyLine } from '../../src/evidence/ssh/keys.js';
import { generateKey } from '../../src/evidence/ssh/private-key.js';
import { sshSign } from '../../src/evidence/ssh/sshsig.js';
import { verifyBundle } from '../../src/evidence/verify.js';
import { copyOf, filesOf, recomputeManifests, runReadme, workFolder, writeSample } from './lib/bundle.js';
import { chained, type SampleRun } from './lib/sample.js';
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
let run: SampleRun;
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
  const sample = await writeSample(folder.path, { every: 4000 }, { signer });
  ({ path: bundle, run } = sample);
  const review = reviewText({ schema: 'muster/review/v1', bundle: sha256(readFileSync(join(bundle, 'tagmanifest-sha256.txt'))), run: run.runId, verdict: 'incomplete', reviewer: 'alice', conclusion: 'accepted', comment: '', at: '2026-11-21T07:00:00.000Z' });
  writeFileSync(join(bundle, 'sig/approval-alice.review.json'), review);
  writeFileSync(join(bundle, 'sig/approval-alice.review.json.sig'), await sshSign(Buffer.from(review), 'muster-approval', signer));
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
        // Of a review's signature only the meaning is held by standard tools: another form of the same bytes is none the less the reviewer's.
        if (file !== 'README.txt' && !/^sig\/approval-.*\.sig$/.test(file) && runReadme(copy, env).code === 0) unseen.push(`${file} at ${at}`);
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

describe('the journal, by somebody who lacks the key', () => {
  const restore = async () => void (copy = await copyOf(bundle, 'mutated'));
  const random = randomOf(seed + 2);
  const some = (length: number, most: number) => (exhaustive ? Array.from({ length }, (_, at) => at) : [...new Set([0, length - 1, ...Array.from({ length: most }, () => random(length))])]);
  const lines = () => content('data/events.jsonl').toString().trimEnd().split('\n');
  const put = (changed: readonly string[]) => writeFileSync(join(copy, 'data/events.jsonl'), changed.map((line) => `${line}\n`).join(''));
  type Change = readonly [string, (all: readonly string[], at: number) => string[]];
  const changes: readonly Change[] = [
    ['two neighbours swapped', (all, at) => all.toSpliced(at, 2, ...all.slice(at, at + 2).toReversed())],
    ['one taken away', (all, at) => all.toSpliced(at, 1)],
    ['one repeated', (all, at) => all.toSpliced(at, 0, all[at] ?? '')],
    ['one moved to the end', (all, at) => [...all.toSpliced(at, 1), all[at] ?? '']],
  ];
  const isChange = (all: readonly string[], changed: readonly string[]) => all.join() !== changed.join();
  const rechained = (changed: readonly string[]) => chained(changed.map((line) => JSON.parse(line) as DrillEvent)).trimEnd().split('\n');

  it.each(changes)('%s, is found by both, whichever event it is', async (_, change) => {
    const all = lines();
    const unseen: string[] = [];
    for (const at of some(all.length, 4)) {
      const changed = change(all, at);
      if (!isChange(all, changed)) continue;
      put(changed);
      if (!(await caught())) unseen.push(`verify: ${at}`);
      if (at % 5 === 0 && runReadme(copy, env).code === 0) unseen.push(`README: ${at}`);
    }
    await restore();
    expect(unseen).toEqual([]);
  }, exhaustive ? 3_600_000 : 120_000);

  it.each(changes)('%s, chained and manifested anew, is found by both', async (_, change) => {
    const all = lines();
    const unseen: string[] = [];
    for (const at of some(all.length, 3)) {
      const changed = change(all, at);
      if (!isChange(all, changed)) continue;
      put(rechained(changed));
      recomputeManifests(copy);
      if (!(await caught())) unseen.push(`verify: ${at}`);
      if (at % 5 === 0 && runReadme(copy, env).code === 0) unseen.push(`README: ${at}`);
    }
    await restore();
    expect(unseen).toEqual([]);
  }, exhaustive ? 3_600_000 : 120_000);

  it('changed, with every other file written anew to fit, is found by both: only the seal says so', async () => {
    const events = run.events.map((event) => (event.type === 'probe.sample' ? { ...event, data: { ...event.data, read: true, write: true } } : event));
    const forged = await (await openBundle(join(folder.path, 'forged'), run.runId)).finish({ ...run, journalText: chained(events), logsDir: join(folder.path, 'logs') });
    expect((await verifyBundle(forged.path)).defects).toEqual([]);
    expect(forged.drill.rto).not.toEqual((JSON.parse(content('data/drill.json').toString()) as { rto: unknown }).rto);
    mkdirSync(join(forged.path, 'sig'));
    for (const file of files().filter((each) => each.startsWith('sig/'))) writeFileSync(join(forged.path, file), content(file));
    const { defects } = await verifyBundle(forged.path, { allowedSigners: signers });
    expect(defects.map(({ code }) => code)).toEqual(expect.arrayContaining(['seal-broken', 'approval-broken']));
    expect(runReadme(forged.path, env).code).not.toBe(0);
    rmSync(join(forged.path, 'sig'), { recursive: true });
    expect((await verifyBundle(forged.path, { allowedSigners: signers })).defects.map(({ code }) => code)).toEqual(['unsigned']);
    expect(runReadme(forged.path, env).stdout).toContain('UNSIGNED');
  });
});

it('an edited verdict in an unsigned bundle, with manifests that fit it, is found by muster verify; that is what standard tools cannot see', async () => {
  copy = await copyOf(bundle, 'mutated');
  rmSync(join(copy, 'sig'), { recursive: true });
  const drill = JSON.parse(content('data/drill.json').toString()) as Record<string, unknown>;
  for (const change of [{ verdict: 'failed' }, { rto: { ...(drill['rto'] as object), valueMs: 1 } }, { reasons: [] , notProved: [] }, { startedAt: '2020-01-01T00:00:00.000Z' }]) {
    writeFileSync(join(copy, 'data/drill.json'), `${canonicalJson({ ...drill, ...change })}\n`);
    recomputeManifests(copy);
    expect((await verifyBundle(copy)).defects.map(({ code }) => code), JSON.stringify(change)).toContain('verdict-differs');
    expect(runReadme(copy).code).toBe(0);
  }
  copy = await copyOf(bundle, 'mutated');
});

it('files that trade places or take the name of another that may be there are found, whichever two they are', async () => {
  const unseen: string[] = [];
  const all = files();
  for (const one of all) {
    for (const other of exhaustive ? all : all.filter((_, at) => (at + one.length) % 4 === 0)) {
      if (one >= other || content(one).equals(content(other))) continue;
      writeFileSync(join(copy, one), content(other));
      writeFileSync(join(copy, other), content(one));
      if (!(await caught())) unseen.push(`${one} and ${other}`);
      writeFileSync(join(copy, one), content(one));
      writeFileSync(join(copy, other), content(other));
    }
  }
  for (const [from, to] of [['data/evidence/backup.json', 'data/evidence/archive.json'], ['data/logs/restore.log', 'data/logs/backup.log'], ['sig/approval-alice.review.json', 'sig/approval-bob.json']] as const) {
    renameSync(join(copy, from), join(copy, to));
    expect(await caught(), to).toBe(true);
    expect(runReadme(copy, env).code, to).not.toBe(0);
    renameSync(join(copy, to), join(copy, from));
  }
  expect(unseen).toEqual([]);
  expect(await caught()).toBe(false);
}, 600_000);
