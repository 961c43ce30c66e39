import { execFileSync } from 'node:child_process';
import { appendFileSync, cpSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { canonicalJson } from '../../src/engine/canonical.js';
import type { DrillEvent } from '../../src/engine/events.js';
import { verifyBundle } from '../../src/evidence/verify.js';
import { copyOf, filesOf, recomputeManifests, workFolder, writeSample } from './lib/bundle.js';
import { chained } from './lib/sample.js';

let folder: Awaited<ReturnType<typeof workFolder>>;
let bundle: string;
beforeAll(async () => {
  folder = await workFolder();
  bundle = (await writeSample(folder.path, { every: 500 })).path;
});
afterAll(() => folder.remove());

const codes = async (path: string) => (await verifyBundle(path)).defects.map(({ code }) => code);
const edit = (path: string, change: (text: string) => string) => {
  const before = readFileSync(path, 'utf8');
  const after = change(before);
  expect(after).not.toBe(before);
  writeFileSync(path, after);
};
const readEvents = (path: string) => readFileSync(join(path, 'data/events.jsonl'), 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line) as DrillEvent);

describe('files', () => {
  it.each([
    ['a planted payload file', 'unexpected-file', (path: string) => writeFileSync(join(path, 'data/planted.txt'), '')],
    ['a planted file at the top', 'unexpected-file', (path: string) => writeFileSync(join(path, '.hidden'), '')],
    ['a planted folder', 'unexpected-file', (path: string) => mkdirSync(join(path, 'data/more'))],
    ['a planted log', 'manifest-missing', (path: string) => writeFileSync(join(path, 'data/logs/other.log'), 'x')],
    ['evidence that the journal does not hold', 'unexpected-file', (path: string) => writeFileSync(join(path, 'data/evidence/isolation.json'), '{}\n')],
    ['a name with a line feed', 'unexpected-file', (path: string) => writeFileSync(join(path, 'data/logs/a\nb.log'), '')],
    ['a removed log', 'manifest-extra', (path: string) => rmSync(join(path, 'data/logs/restore.log'))],
    ['a removed evidence file', 'missing-file', (path: string) => rmSync(join(path, 'data/evidence/backup.json'))],
    ['a renamed log', 'manifest-extra', (path: string) => renameSync(join(path, 'data/logs/restore.log'), join(path, 'data/logs/restored.log'))],
    ['a truncated log', 'digest-differs', (path: string) => truncateSync(join(path, 'data/logs/restore.log'), 3)],
    ['a file too large to read', 'too-large', (path: string) => truncateSync(join(path, 'data/runbook.yaml'), 64 * 1024 * 1024)],
    ['a runbook that no drill could have had', 'too-large', (path: string) => writeFileSync(join(path, 'data/runbook.yaml'), `a: [${'[],'.repeat(400_000)}]\n`)],
    ['an emptied journal', 'digest-differs', (path: string) => truncateSync(join(path, 'data/events.jsonl'))],
    ['a symlink in place of a file', 'not-regular', (path: string) => (renameSync(join(path, 'data/logs/restore.log'), `${path}.log`), symlinkSync(`${path}.log`, join(path, 'data/logs/restore.log')))],
    ['a symlink in place of a folder', 'not-regular', (path: string) => (renameSync(join(path, 'data/logs'), `${path}.logs`), symlinkSync(`${path}.logs`, join(path, 'data/logs')))],
    ['a FIFO in place of a file', 'not-regular', (path: string) => (rmSync(join(path, 'bagit.txt')), execFileSync('mkfifo', [join(path, 'bagit.txt')]))],
  ])('finds %s', async (name, code, damage) => {
    const copy = await copyOf(bundle, `files-${name.replaceAll(/\W/g, '-')}`);
    damage(copy);
    expect(await codes(copy)).toContain(code);
    // Nor does it help to make the manifests fit, but for a log: it is only bound by manifests and report.
    if (code === 'not-regular') return;
    recomputeManifests(copy);
    expect(await codes(copy)).not.toEqual([]);
  });

  it('finds any file that was removed', async () => {
    for (const file of filesOf(bundle)) {
      const copy = await copyOf(bundle, 'removed');
      rmSync(join(copy, file));
      expect(await codes(copy), file).not.toEqual([]);
    }
  });

  it('finds two files that were swapped', async () => {
    const copy = await copyOf(bundle, 'swapped');
    renameSync(join(copy, 'data/evidence/backup.json'), join(copy, 'x'));
    renameSync(join(copy, 'data/evidence/wal-end.json'), join(copy, 'data/evidence/backup.json'));
    renameSync(join(copy, 'x'), join(copy, 'data/evidence/wal-end.json'));
    expect(await codes(copy)).toContain('digest-differs');
    recomputeManifests(copy);
    expect(await codes(copy)).toContain('evidence-differs');
  });

  it('says so when the folder was only renamed, and calls it sound', async () => {
    const copy = await copyOf(bundle, 'renamed');
    const { defects, notes } = await verifyBundle(copy);
    expect(defects).toEqual([]);
    expect(notes.join('\n')).toMatch(/renamed/);
  });
});

describe('manifests', () => {
  const line = `${'0'.repeat(64)}  `;
  it.each([
    ['a path that leaves the bundle', 'manifest-path', (text: string) => `${text}${line}data/../../etc/passwd\n`],
    ['an absolute path', 'manifest-path', (text: string) => `${text}${line}/etc/passwd\n`],
    ['a path with a dot', 'manifest-path', (text: string) => text.replace('  data/drill.json', '  ./data/drill.json')],
    ['a backslash', 'manifest-path', (text: string) => `${text}${line}data\\drill.json\n`],
    ['a file named twice', 'manifest-duplicate', (text: string) => `${text}${text.split('\n')[0]}\n`],
    ['a name encoded where it need not be', 'manifest-path', (text: string) => text.replace('data/drill.json', 'data/drill%2Ejson')],
    ['an encoded line feed', 'manifest-extra', (text: string) => `${text}${line}data/a%0Ab\n`],
    ['CR LF', 'manifest-form', (text: string) => text.replaceAll('\n', '\r\n')],
    ['no last line feed', 'manifest-form', (text: string) => text.trimEnd()],
    ['capital hex', 'manifest-form', (text: string) => text.toUpperCase()],
    ['other order', 'manifest-form', (text: string) => `${text.trimEnd().split('\n').toReversed().join('\n')}\n`],
    ['a blank line', 'manifest-form', (text: string) => `${text}\n`],
  ])('refuse %s', async (name, code, change) => {
    const copy = await copyOf(bundle, `manifest-${name.replaceAll(/\W/g, '-')}`);
    edit(join(copy, 'manifest-sha256.txt'), change);
    const found = await codes(copy);
    expect(found).toContain(code);
    expect(found).toContain('digest-differs');
  });
});

/** The attacker edits, and makes both manifests fit again. */
describe('edits under manifests that fit', () => {
  const tampered = async (name: string, damage: (path: string) => void) => {
    const copy = await copyOf(bundle, `edit-${name}`);
    damage(copy);
    recomputeManifests(copy);
    return copy;
  };
  const value = (path: string, change: (value: Record<string, unknown>) => void) => edit(path, (text) => {
    const parsed = JSON.parse(text) as Record<string, unknown>;
    change(parsed);
    return `${canonicalJson(parsed)}\n`;
  });

  it.each([
    ['the recovery time', 'verdict-differs', 'data/drill.json', (drill: Record<string, unknown>) => Object.assign(drill['rto'] as object, { valueMs: 1 })],
    ['an objective in the plan', 'plan-differs', 'data/plan.json', (plan: Record<string, unknown>) => Object.assign((plan['binding'] as { objectives: object }).objectives, { rtoMs: 1 })],
    ['what preflight saw', 'report-differs', 'data/plan.json', (plan: Record<string, unknown>) => Object.assign(plan['observed'] as object, { at: '2020-01-01T00:00:00.000Z' })],
    ['evidence', 'evidence-differs', 'data/evidence/backup.json', (file: Record<string, unknown>) => Object.assign(file, { records: [] })],
  ])('find %s', async (name, code, file, change) => {
    expect(await codes(await tampered(name.replaceAll(/\W/g, '-'), (path) => value(join(path, file), change)))).toContain(code);
  });

  it.each([
    ['a line of the journal', 'journal-broken', 'data/events.jsonl', (text: string) => text.replace('"operator":"sam"', '"operator":"eve"')],
    ['a line cut out of the journal', 'journal-broken', 'data/events.jsonl', (text: string) => text.split('\n').toSpliced(20, 1).join('\n')],
    ['the end of the journal', 'journal-incomplete', 'data/events.jsonl', (text: string) => `${text.trimEnd().split('\n').slice(0, -1).join('\n')}\n`],
    ['half a line', 'journal-broken', 'data/events.jsonl', (text: string) => text.slice(0, -20)],
    ['invalid JSON', 'journal-broken', 'data/events.jsonl', (text: string) => `{${text}`],
    ['the runbook', 'document-differs', 'data/runbook.yaml', (text: string) => text.replace('platform-team', 'other-team')],
    ['a comment in the environment', 'document-differs', 'data/environment.yaml', (text: string) => `${text}# harmless\n`],
    ['the report', 'report-differs', 'data/report.html', (text: string) => text.replace('Passed', 'Perfect').replace('Incomplete', 'Perfect')],
    ['a log', 'report-differs', 'data/logs/restore.log', (text: string) => text.replace('42', '41')],
    ['the README', 'tag-differs', 'README.txt', (text: string) => text.replace('muster verify', 'evil verify')],
    ['bag-info.txt', 'tag-differs', 'bag-info.txt', (text: string) => text.replace('External-Identifier: ', 'External-Identifier: x')],
    ['the version of BagIt', 'tag-differs', 'bagit.txt', (text: string) => text.replace('1.0', '0.97')],
    ['white space in drill.json', 'not-canonical', 'data/drill.json', (text: string) => text.replace('":', '": ')],
    ['a second key of the same name', 'not-canonical', 'data/drill.json', (text: string) => text.replace('{', '{"verdict":"passed",')],
    ['an unknown member', 'schema', 'data/plan.json', (text: string) => text.replace('{', '{"a":1,')],
    ['six million values', 'not-json', 'data/plan.json', () => `[${'[],'.repeat(3_000_000)}[]]`],
    ['deep nesting', 'not-json', 'data/plan.json', () => '['.repeat(200_000)],
    ['deep nesting in the journal', 'journal-broken', 'data/events.jsonl', (text: string) => `${text}{"type":"x","data":${'['.repeat(100_000)}${']'.repeat(100_000)}}\n`],
    ['a second member of the same name in the journal', 'not-canonical', 'data/events.jsonl', (text: string) => text.replace('"type":"run.finished"', '"type":"run.kept","type":"run.finished"')],
    ['white space in the journal', 'not-canonical', 'data/events.jsonl', (text: string) => text.replace('"type":"run.finished"', '"type": "run.finished"')],
    ['a carriage return in the journal', 'not-canonical', 'data/events.jsonl', (text: string) => `${text.slice(0, -1)}\r\n`],
    ['six million values in the journal', 'journal-broken', 'data/events.jsonl', (text: string) => `${text}{"type":"x","data":[${'[],'.repeat(3_000_000)}[]]}\n`],
    ['a line of 33 MiB in the journal', 'too-large', 'data/events.jsonl', (text: string) => `${text}${'x'.repeat(33 * 1024 * 1024)}\n`],
    ['a YAML bomb', 'schema', 'data/runbook.yaml', () => `a: &a [x,x,x,x,x,x,x,x,x]\n${'bcdefghij'.split('').map((key, n) => `${key}: &${key} [${Array.from({ length: 9 }, () => `*${'abcdefghij'[n]}`).join(',')}]\n`).join('')}`],
  ])('find %s', async (name, code, file, change) => {
    expect(await codes(await tampered(name.replaceAll(/\W/g, '-'), (path) => edit(join(path, file), change)))).toContain(code);
  });

  it('find a failed drill that was made to read as passed', async () => {
    const other = await workFolder();
    try {
      const { path } = await writeSample(other.path, { failAt: 'restore' });
      value(join(path, 'data/drill.json'), (drill) => Object.assign(drill, { verdict: 'passed', reasons: [] }));
      recomputeManifests(path);
      const { defects, drill } = await verifyBundle(path);
      expect(defects.map(({ code }) => code)).toContain('verdict-differs');
      expect(drill?.verdict).toBe('failed');
    } finally {
      await other.remove();
    }
  });

  it('find bytes that are not UTF-8', async () => {
    expect(await codes(await tampered('utf8', (path) => appendFileSync(join(path, 'data/runbook.yaml'), Buffer.from([0x23, 0xff, 0x0a]))))).toContain('not-utf8');
  });

  it('find a journal that was rewritten with a fresh chain, as long as verdict and report are not', async () => {
    const copy = await tampered('rechained', (path) => {
      const events = readEvents(path).map((event) => (event.type === 'probe.sample' ? { ...event, data: { ...event.data, read: true, write: true } } : event));
      writeFileSync(join(path, 'data/events.jsonl'), chained(events));
    });
    const found = await codes(copy);
    expect(found).toEqual(expect.arrayContaining(['verdict-differs', 'report-differs']));
  });

  it('cannot find a bundle that was forged as a whole, and say so', async () => {
    const { notes } = await verifyBundle(bundle);
    expect(notes.join('\n')).toMatch(/UNSIGNED/);
    const signed = await verifyBundle(bundle, { allowedSigners: [] });
    expect(signed.defects.map(({ code }) => code)).toEqual(['unsigned']);
  });
});

it('holds a bundle of another version against manifests and rules, and says that it did not render it again', async () => {
  const other = await workFolder();
  try {
    const { path } = await writeSample(other.path, { tool: '0.0.9' });
    const { defects, notes } = await verifyBundle(path);
    expect(defects).toEqual([]);
    expect(notes.join('\n')).toMatch(/0\.0\.9/);
    edit(join(path, 'data/report.html'), (text) => text.replace('<main>', '<main> '));
    expect(await codes(path)).toContain('digest-differs');
  } finally {
    await other.remove();
  }
});

it('gives defects, not errors, for a folder of rubbish', async () => {
  const rubbish = join(folder.path, 'rubbish');
  cpSync(join(bundle, 'data'), rubbish, { recursive: true });
  const { defects, drill } = await verifyBundle(rubbish);
  expect(defects.length).toBeGreaterThan(5);
  expect(drill).toBeUndefined();
});
