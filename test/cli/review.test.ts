import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { canonicalJson } from '../../src/engine/canonical.js';
import { main } from '../../src/cli/main.js';
import { runReadme, workFolder } from '../evidence/lib/bundle.js';
import { capture, writeDrill } from '../report/lib/drills.js';

let folder: Awaited<ReturnType<typeof workFolder>>;
let bundle: string;

beforeEach(async () => {
  folder = await workFolder();
  bundle = await writeDrill(folder.path);
  const lines = ['kim', 'lee'].map((who) => {
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(folder.path, who), '-C', who]);
    return `${who}@example.org ${readFileSync(join(folder.path, `${who}.pub`), 'utf8')}`;
  });
  writeFileSync(join(folder.path, 'signers'), lines.join(''));
});
afterEach(() => folder.remove());

const muster = async (...args: string[]) => {
  const { out, io } = capture(folder.path);
  return { code: await main(args, io), ...out };
};
const review = (...more: string[]) => muster('review', bundle, '--key', 'kim', '--allowed-signers', 'signers', ...more);
const signed = () => readdirSync(join(bundle, 'sig')).filter((name) => name.endsWith('.json'));
const sign = (file: string) => execFileSync('ssh-keygen', ['-q', '-Y', 'sign', '-f', join(folder.path, 'lee'), '-n', 'muster-approval', file], { stdio: 'ignore' });

describe('muster review', () => {
  it('signs a bundle off without breaking it: verify and the standard tools say who and what', async () => {
    await muster('seal', bundle, '--key', 'lee');
    const { code, stdout, stderr } = await review('--comment', 'seen by the risk committee');
    expect([code, stderr]).toEqual([0, expect.stringContaining('Signed as kim@example.org')]);
    expect(stdout.trim()).toBe(`sig/${signed()[0]}`);
    const verified = await muster('verify', bundle, '--allowed-signers', 'signers');
    expect(verified.code).toBe(0);
    expect(verified.stdout).toMatch(/approval-kim@example\.org\.review-\S+: signed by kim@example\.org \(SHA256:\S+\), review, accepted/);
    const read = runReadme(bundle, { ALLOWED_SIGNERS: join(folder.path, 'signers'), SIGNER: 'lee@example.org' });
    expect([read.code, read.stdout]).toEqual([0, expect.stringContaining('Good "muster-approval" signature for kim@example.org')]);
  });

  it('is told apart from an approval of the plan by muster controls', async () => {
    const plan = (JSON.parse(readFileSync(join(bundle, 'data/plan.json'), 'utf8')) as { digest: string }).digest;
    mkdirSync(join(bundle, 'sig'));
    const approval = join(bundle, 'sig/approval-lee.json');
    writeFileSync(approval, `${canonicalJson({ schema: 'muster/approval/v1', plan, runbook: 'pitr-restore 1.0.0', environment: 'sandbox', approver: 'lee', at: '2026-11-19T07:00:00.000Z' })}\n`);
    sign(approval);
    await review('--reject', '--comment', 'no WAL of the last hour');
    const { stdout } = await muster('controls', '--allowed-signers', 'signers', '--framework', 'soc2', '--format', 'json');
    const drills = (JSON.parse(stdout) as { frameworks: { rows: { id: string; drills: { approvers: string[]; reviewers: string[]; sound: boolean }[] }[] }[] }).frameworks[0]?.rows.find(({ id }) => id === 'soc2/A1.3')?.drills;
    expect(drills).toEqual([
      expect.objectContaining({
        sound: true,
        approvers: ['sig/approval-lee.json: signed by lee@example.org'],
        reviewers: [expect.stringMatching(/^sig\/approval-kim@example\.org\.review-\S+: signed by kim@example\.org, rejected on \d{4}-\d\d-\d\d: no WAL of the last hour$/)],
      }),
    ]);
    for (const format of ['text', 'markdown']) expect((await muster('controls', '--allowed-signers', 'signers', '--format', format)).stdout).toMatch(/rejected on/);
  });

  it('refuses a bundle that is not sound', async () => {
    writeFileSync(join(bundle, 'data/logs/restore.log'), 'changed\n');
    expect(await review()).toMatchObject({ code: 1, stderr: expect.stringContaining('not signed off') });
    expect(readdirSync(bundle)).not.toContain('sig');
  });

  it.each([
    ['of another bundle', (text: string) => text.replace(/"bundle":"[0-9a-f]{64}"/, `"bundle":"${'0'.repeat(64)}"`), /it reviews another bundle|names neither/],
    ['that says another verdict', (text: string) => text.replace('"verdict":"passed"', '"verdict":"failed"'), /it says that .* is failed; this is .*, passed/],
    ['without a conclusion', (text: string) => text.replace('"conclusion":"accepted",', ''), /it is no review/],
    ['with something beside it', (text: string) => text.replace('{', '{"also":1,'), /it is no review/],
  ])('%s, signed anew, is a defect', async (_, change, why) => {
    await review();
    const file = join(bundle, 'sig', signed()[0] ?? '');
    writeFileSync(file, change(readFileSync(file, 'utf8')));
    execFileSync('rm', [`${file}.sig`]);
    sign(file);
    const { code, stdout } = await muster('verify', bundle, '--allowed-signers', 'signers');
    expect(code).toBe(1);
    expect(stdout).toMatch(why);
  });
});
