import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { report } from '../../src/cli/report.js';
import { findChromium } from '../../src/report/pdf.js';
import { workFolder } from '../evidence/lib/bundle.js';
import { capture, hostile, writeDrill } from './lib/drills.js';

let folder: Awaited<ReturnType<typeof workFolder>>;
let bundle: string;
beforeAll(async () => {
  folder = await workFolder();
  bundle = await writeDrill(folder.path, { hostile });
});
afterAll(() => folder.remove());

const PATH = process.env['PATH'] ?? '';

describe('muster report --format pdf', () => {
  it.skipIf(findChromium({ PATH }) === undefined)('prints the report', async () => {
    const { io } = capture(folder.path, { PATH });
    expect(await report({ bundle, format: 'pdf', out: 'r.pdf' }, io)).toBe(0);
    const pdf = readFileSync(join(folder.path, 'r.pdf'));
    expect(pdf.subarray(0, 5).toString('latin1')).toBe('%PDF-');
    expect(pdf.length).toBeGreaterThan(20_000);
  });

  it('says how to get a Chromium where there is none', async () => {
    const { io } = capture(folder.path, { PATH: folder.path });
    await expect(report({ bundle, format: 'pdf', out: 'r.pdf' }, io)).rejects.toThrow(/apt-get install chromium.*MUSTER_CHROMIUM/);
    const other = capture(folder.path, { PATH: '', MUSTER_CHROMIUM: join(folder.path, 'none') });
    await expect(report({ bundle, format: 'pdf', out: 'r.pdf' }, other.io)).rejects.toThrow(/cannot start .*none/);
  });

  it('is written to a file only', async () => {
    const { io } = capture(folder.path, { PATH });
    await expect(report({ bundle, format: 'pdf' }, io)).rejects.toThrow(/--out/);
  });
});

describe('muster report', () => {
  it.each(['junit', 'oscal', 'csv'])('prints %s', async (format) => {
    const { out, io } = capture(folder.path);
    expect(await report({ bundle, format }, io)).toBe(0);
    expect(out.stdout.slice(0, 30)).toMatch({ junit: /^<\?xml/, oscal: /^\{\n {2}"assessment-results"/, csv: /^run,verdict,/ }[format] ?? /never/);
  });
});
