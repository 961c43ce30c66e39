import { execFileSync } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, readFileSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { maxRatio } from '../../src/evidence/archive/names.js';
import { openBundle } from '../../src/evidence/bag.js';
import { packBundle } from '../../src/evidence/pack.js';
import { UnsoundBundleError } from '../../src/evidence/seal-bundle.js';
import { verifyBundle } from '../../src/evidence/verify.js';
import { entriesOf, tarGz, tarOf, zipOf, type TarDraft, type ZipDraft } from './lib/archives.js';
import { copyOf, filesOf, workFolder, writeSample } from './lib/bundle.js';
import { sampleRun } from './lib/sample.js';

let folder: Awaited<ReturnType<typeof workFolder>>;
let bundle: string;
let n = 0;
beforeAll(async () => {
  folder = await workFolder();
  bundle = (await writeSample(folder.path, { every: 500 })).path;
});
afterAll(() => folder.remove());

const written = (content: Buffer, ending: string) => {
  n += 1;
  const path = join(folder.path, `archive-${n}${ending}`);
  writeFileSync(path, content);
  return path;
};
const codes = async (path: string) => (await verifyBundle(path)).defects.map(({ code }) => code);

describe('an archive that other tools made', () => {
  const parent = () => join(bundle, '..');
  const name = () => bundle.slice(parent().length + 1);
  const made: [string, string, () => string[]][] = [
    ['zip', 'zip', () => ['-q', '-r', 'OUT.zip', name()]],
    ['zip, stored', 'zip', () => ['-q', '-0', '-r', 'OUT.zip', name()]],
    ['zip, through a pipe', 'sh', () => ['-c', `zip -q -r - ${name()} > OUT.zip`]],
    ['GNU tar', 'tar', () => ['-czf', 'OUT.tar.gz', name()]],
    ['pax', 'tar', () => ['--format=pax', '-czf', 'OUT.tar.gz', name()]],
    ['ustar', 'tar', () => ['--format=ustar', '-czf', 'OUT.tgz', name()]],
    ['tar without a folder', 'tar', () => ['-czf', 'OUT.tar.gz', '-C', name(), '.']],
  ];
  it.each(made)('%s', async (_, program, args) => {
    n += 1;
    const out = `made-${n}`;
    execFileSync(program, args().map((arg) => arg.replace('OUT', out)), { cwd: parent() });
    const path = ['.zip', '.tar.gz', '.tgz'].map((ending) => join(parent(), `${out}${ending}`)).find((each) => existsSync(each)) ?? '';
    const { defects, drill } = await verifyBundle(path);
    expect(defects).toEqual([]);
    expect(drill?.run).toBe(name());
  });

  it('with names longer than a tar header holds', async () => {
    const logsDir = join(folder.path, 'long-logs');
    mkdirSync(logsDir);
    writeFileSync(join(logsDir, `${'long-'.repeat(29)}.log`), 'x\n');
    const sample = sampleRun({ every: 500 });
    const { path } = await (await openBundle(join(folder.path, 'long'), sample.runId)).finish({ ...sample, logsDir });
    for (const format of ['gnu', 'pax']) {
      execFileSync('tar', [`--format=${format}`, '-czf', `${path}.${format}.tgz`, '-C', join(path, '..'), sample.runId]);
      expect(await codes(`${path}.${format}.tgz`), format).toEqual([]);
    }
  });
});

describe('a hostile zip', () => {
  const more = (draft: ZipDraft): [ZipDraft[]] => [[...entriesOf(bundle), draft]];
  const x = Buffer.from('x');
  const zip64 = Buffer.from([1, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
  it.each<[string, string, () => Parameters<typeof zipOf>]>([
    ['a path that leaves it', 'archive-form', () => more({ name: '../evil', data: x })],
    ['a path that leaves it from within', 'archive-form', () => more({ name: 'drill/data/../../evil', data: x })],
    ['an absolute path', 'archive-form', () => more({ name: '/etc/passwd', data: x })],
    ['a drive', 'archive-form', () => more({ name: 'C:/evil', data: x })],
    ['a backslash', 'archive-form', () => more({ name: 'drill\\data\\evil', data: x })],
    ['a NUL in a name', 'archive-form', () => more({ name: 'drill/data/drill.json\0.txt', data: x })],
    ['a name that is not UTF-8', 'archive-form', () => more({ name: Buffer.from([0x64, 0xff]), data: x })],
    ['a name whose encoding is not said', 'archive-form', () => more({ name: 'drill/ä', data: x, flags: 0 })],
    ['a file twice', 'duplicate-entry', () => more({ name: 'drill/bagit.txt', data: x })],
    ['a file twice but for case', 'duplicate-entry', () => more({ name: 'drill/BAGIT.TXT', data: x })],
    ['a file beside the folder', 'unexpected-file', () => more({ name: 'evil', data: x })],
    ['a file too many', 'unexpected-file', () => more({ name: 'drill/evil', data: x })],
    ['a symbolic link', 'not-regular', () => more({ name: 'drill/data/logs/link.log', data: Buffer.from('/etc/passwd'), mode: 0o120777 })],
    ['a device', 'not-regular', () => more({ name: 'drill/data/logs/dev.log', data: Buffer.alloc(0), mode: 0o020644 })],
    ['encryption', 'archive-form', () => more({ name: 'drill/data/logs/a.log', data: x, flags: 0x0801 })],
    ['strong encryption', 'archive-form', () => more({ name: 'drill/data/logs/a.log', data: x, flags: 0x0840 })],
    ['zip64', 'archive-form', () => more({ name: 'drill/data/logs/a.log', data: x, extra: zip64 })],
    ['a size of 64 bits', 'archive-form', () => more({ name: 'drill/data/logs/a.log', data: x, unpacked: 0xffffffff })],
    ['a second name in an extra field', 'archive-form', () => more({ name: 'drill/data/logs/a.log', data: x, extra: Buffer.from([0x75, 0x70, 1, 0, 1]) })],
    ['another compression', 'archive-form', () => more({ name: 'drill/data/logs/a.log', data: x, method: 12 })],
    ['another name in the local header', 'archive-form', () => more({ name: 'drill/data/logs/a.log', data: x, localName: 'drill/data/logs/b.log' })],
    ['something hidden between the entries', 'archive-form', () => more({ name: 'drill/data/logs/a.log', data: x, before: Buffer.from('hidden') })],
    ['entries that share their data', 'archive-form', () => more({ name: 'drill/data/logs/a.log', data: x, overlap: true })],
    ['a wrong CRC', 'unreadable', () => more({ name: 'drill/data/logs/a.log', data: x, crc: 7 })],
    ['more content than it says', 'unreadable', () => more({ name: 'drill/data/logs/a.log', data: Buffer.alloc(1000), unpacked: 10 })],
    ['a comment', 'archive-form', () => [entriesOf(bundle), { comment: 'hello' }]],
    ['something after its end', 'archive-form', () => [entriesOf(bundle), { tail: x }]],
    ['a wrong count', 'archive-form', () => [entriesOf(bundle), { count: 3 }]],
    ['an absurd size', 'too-large', () => more({ name: 'drill/data/logs/a.log', data: x, unpacked: 0xfffffffe })],
  ])('with %s', async (_, code, drafts) => {
    expect(await codes(written(zipOf(...drafts()), '.zip'))).toContain(code);
  });

  it('that is a bomb is not unpacked', async () => {
    const logs = Array.from({ length: 3 }, (_, log) => ({ name: `drill/data/logs/${log}.log`, data: Buffer.alloc(40 * 1024 * 1024) }));
    expect(await codes(written(zipOf([...entriesOf(bundle), ...logs]), '.zip'))).toContain('too-large');
  });

  it('cut off anywhere gives defects, not errors', async () => {
    const whole = zipOf(entriesOf(bundle));
    for (let step = 1; step <= 12; step += 1) expect(await codes(written(whole.subarray(0, Math.floor((whole.length * step) / 13)), '.zip'))).not.toEqual([]);
  });
});

describe('a hostile tar.gz', () => {
  const all = (...drafts: TarDraft[]) => tarGz([...entriesOf(bundle), ...drafts]);
  const x = Buffer.from('x');
  const pax = (record: string) => ({ name: 'pax', type: 'x', data: Buffer.from(`${record.length + 4} ${record}\n`) });
  it.each<[string, string, () => Buffer]>([
    ['a path that leaves it', 'archive-form', () => all({ name: '../evil', data: x })],
    ['an absolute path', 'archive-form', () => all({ name: '/etc/passwd', data: x })],
    ['a path that leaves it in a long name', 'archive-form', () => all({ name: 'L', type: 'L', data: Buffer.from('drill/../../evil\0') }, { name: 'drill/x', data: x })],
    ['a path that leaves it in a pax header', 'archive-form', () => all(pax('path=drill/../../evil'), { name: 'drill/x', data: x })],
    ['a size in a pax header', 'archive-form', () => all(pax('size=00000000012'), { name: 'drill/x', data: x })],
    ['a symbolic link', 'not-regular', () => all({ name: 'drill/data/logs/link.log', type: '2', link: '/etc/passwd' })],
    ['a hard link', 'not-regular', () => all({ name: 'drill/data/logs/link.log', type: '1', link: 'drill/data/logs/restore.log' })],
    ['a character device', 'not-regular', () => all({ name: 'drill/data/logs/null.log', type: '3' })],
    ['a FIFO', 'not-regular', () => all({ name: 'drill/data/logs/fifo.log', type: '6' })],
    ['a sparse file', 'archive-form', () => all({ name: 'drill/data/logs/sparse.log', type: 'S' })],
    ['a file twice', 'duplicate-entry', () => all({ name: 'drill/bagit.txt', data: x })],
    ['a name that is not UTF-8', 'archive-form', () => all({ name: Buffer.from([0x64, 0xff]), data: x })],
    ['a folder too many', 'unexpected-file', () => all({ name: 'drill/more/', type: '5' })],
    ['a size in base 256', 'archive-form', () => all({ name: 'drill/data/logs/a.log', data: x, size: '\x80\0\0\0\0\0\0\0\0\0\0\x01' })],
    ['a negative size', 'archive-form', () => all({ name: 'drill/data/logs/a.log', data: x, size: '-0000000001\0' })],
    ['a size beyond its end', 'archive-form', () => all({ name: 'drill/data/logs/a.log', data: x, size: '00077777777\0' })],
    ['a wrong checksum', 'archive-form', () => all({ name: 'drill/data/logs/a.log', data: x, badSum: true })],
    ['something after the end of the tar', 'archive-form', () => gzipSync(tarOf([...entriesOf(bundle)], { tail: Buffer.concat([Buffer.alloc(1024), x]) }))],
    ['something after the end of the gzip', 'archive-form', () => Buffer.concat([all(), x])],
    ['no end', 'archive-form', () => gzipSync(tarOf(entriesOf(bundle), { tail: Buffer.alloc(0) }))],
    ['a broken stream', 'archive-form', () => all().subarray(0, 3000)],
  ])('with %s', async (_, code, content) => {
    expect(await codes(written(content(), '.tar.gz'))).toContain(code);
  });

  it('that is a bomb is not unpacked', async () => {
    expect(await codes(written(all({ name: 'drill/data/logs/a.log', data: Buffer.alloc(100 * 1024 * 1024) }), '.tar.gz'))).toContain('too-large');
  });
});

describe('pack', () => {
  it('gives the same bytes for the same bundle, whenever, wherever and in whatever order it lies on disk', async () => {
    const first = await packBundle(bundle, join(folder.path, 'first.zip'));
    const copy = await copyOf(bundle, 'touched');
    for (const file of filesOf(copy)) utimesSync(join(copy, file), 1, 1);
    const zone = process.env['TZ'];
    process.env['TZ'] = 'Pacific/Kiritimati';
    try {
      expect(await packBundle(copy, join(folder.path, 'second.zip'))).toMatchObject({ sha256: first.sha256 });
    } finally {
      if (zone === undefined) delete process.env['TZ'];
      else process.env['TZ'] = zone;
    }
    expect(readFileSync(join(folder.path, 'second.zip')).equals(readFileSync(first.path))).toBe(true);
    expect(await codes(first.path)).toEqual([]);
  });

  it('makes a zip that unzip takes, with the bundle in its folder as it was', async () => {
    const { path } = await packBundle(bundle, join(folder.path, 'unzip.zip'));
    const out = join(folder.path, 'unzipped');
    execFileSync('unzip', ['-q', path, '-d', out]);
    const [name = ''] = bundle.split('/').slice(-1);
    expect(filesOf(join(out, name))).toEqual(filesOf(bundle));
    execFileSync('diff', ['-r', bundle, join(out, name)]);
  });

  it('packs logs that repeat themselves so that they do not look like a bomb', async () => {
    const logsDir = join(folder.path, 'dull-logs');
    mkdirSync(logsDir);
    writeFileSync(join(logsDir, 'dull.log'), Buffer.alloc(70 * 1024 * 1024, 'the same line\n'));
    const sample = sampleRun({ every: 500 });
    const { path } = await (await openBundle(join(folder.path, 'dull'), sample.runId)).finish({ ...sample, logsDir });
    const packed = await packBundle(path, `${path}.zip`);
    expect(readFileSync(packed.path).length * maxRatio).toBeGreaterThan(70 * 1024 * 1024);
    expect(await codes(packed.path)).toEqual([]);
  });

  it('packs nothing that is not sound, and writes over nothing', async () => {
    const copy = await copyOf(bundle, 'unsound');
    appendFileSync(join(copy, 'data/logs/restore.log'), 'x');
    await expect(packBundle(copy, `${copy}.zip`)).rejects.toThrow(UnsoundBundleError);
    expect(existsSync(`${copy}.zip`)).toBe(false);
    await expect(packBundle(bundle, join(folder.path, 'first.zip'))).rejects.toThrow(/cannot write the zip/);
    symlinkSync('/etc/passwd', join(copy, 'link'));
    truncateSync(join(copy, 'data/logs/restore.log'), 16);
    await expect(packBundle(copy, `${copy}.zip`)).rejects.toThrow(UnsoundBundleError);
  });
});
