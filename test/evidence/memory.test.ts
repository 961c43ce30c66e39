import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { packageRoot } from '../../src/engine/package-root.js';
import { writeDrill } from '../report/lib/drills.js';

const MiB = 1024 * 1024;
const folder = mkdtempSync(join(tmpdir(), 'muster-memory-'));
const peak = join(folder, 'peak');
writeFileSync(join(folder, 'peak.cjs'), `process.on('exit', () => require('node:fs').writeFileSync(${JSON.stringify(peak)}, String(process.resourceUsage().maxRSS)))`);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The most memory that `muster verify` of a bundle ever held. */
function peakMiB(bundle: string): number {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--require', join(folder, 'peak.cjs'), join(packageRoot(), 'bin/muster.js'), 'verify', bundle], { encoding: 'utf8' });
  expect(stdout + stderr).toContain('sound, UNSIGNED');
  expect(status).toBe(0);
  return Number(readFileSync(peak, 'utf8')) / 1024;
}

describe('muster verify', () => {
  it('does not hold a long journal in memory', { timeout: 240_000 }, async () => {
    const small = await writeDrill(join(folder, 'small'));
    // As many samples as two probes that look five times a second write in three hours.
    const large = await writeDrill(join(folder, 'large'), { every: 0.25 });
    const { size } = statSync(join(large, 'data/events.jsonl'));
    expect(size).toBeGreaterThan(40 * MiB);
    // It costs about 90. Held as text and as events it would be 250.
    expect(peakMiB(large) - peakMiB(small)).toBeLessThan(160);
  });
});
