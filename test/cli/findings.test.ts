import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findings, type FindingsArgs } from '../../src/cli/findings.js';
import { report } from '../../src/cli/report.js';
import { DocumentError, UsageError } from '../../src/engine/errors.js';
import { compareVersions } from '../../src/report/history/findings.js';
import { workFolder } from '../evidence/lib/bundle.js';
import { capture, hostile, writeDrill, type DrillOptions } from '../report/lib/drills.js';

let folder: Awaited<ReturnType<typeof workFolder>>;
let failed: string;
let id: string;

interface Listed {
  id: string;
  code: string;
  state: string;
  overdue: boolean;
  problems: string[];
  because: string | null;
  owner: string | null;
}

const found: DrillOptions = { at: '2026-05-01T07:00:00Z', version: '1.1.0', rtoMs: 4000 };

beforeEach(async () => {
  folder = await workFolder();
  failed = await writeDrill(folder.path, found);
  const { findings: listed } = await list();
  id = listed[0]?.id ?? '';
});
afterEach(() => folder.remove());

const base = { file: 'findings.yaml', all: false, evidenceDir: 'evidence', asOf: '2026-12-01' };
const run = async (more: Partial<FindingsArgs> = {}) => {
  const { out, io } = capture(folder.path);
  const code = await findings({ ...base, format: 'text', ...more }, io);
  return { code, ...out };
};
const list = async (more: Partial<FindingsArgs> = {}) => {
  const { code, stdout } = await run({ format: 'json', ...more });
  return { code, ...(JSON.parse(stdout) as { findings: Listed[]; orphans: string[] }) };
};
const keep = (...lines: string[]) => writeFileSync(join(folder.path, 'findings.yaml'), `apiVersion: muster/v1\nkind: Findings\nfindings:\n  - id: ${id}\n${lines.map((line) => `    ${line}\n`).join('')}`);
const closing = async (options: DrillOptions) => {
  const bundle = await writeDrill(folder.path, options);
  keep(`closedBy: ${basename(bundle)}`);
  return bundle;
};

it('a report that is given findings.yaml says who sees to what, until when and in which ticket', async () => {
  keep('owner: alice', 'due: "2027-01-31"', 'ticket: OPS-7', 'severity: high');
  const { out, io } = capture(folder.path);
  for (const format of ['html', 'markdown']) expect(await report({ bundle: failed, format, findings: 'findings.yaml' }, io)).toBe(0);
  expect(out.stdout.match(new RegExp(`${id}: open; owner alice; due 2027-01-31; ticket OPS-7; severity high`, 'g'))).toHaveLength(2);
  await expect(report({ bundle: failed, format: 'html', findings: 'nowhere.yaml' }, io)).rejects.toThrow(UsageError);
});

describe('muster findings', () => {
  it('lists each reason of a drill that did not pass, with the same id every time', async () => {
    await writeDrill(folder.path, { at: '2026-02-01T07:00:00Z' });
    const { code, stdout } = await run();
    expect(code).toBe(0);
    expect(stdout).toMatch(new RegExp(`^${id} {2}open +rto-missed  pitr-restore 1\\.1\\.0 in sandbox, 2026-05-01`));
    expect(stdout).toContain('no owner, no due day');
    expect(stdout).toContain('1 open (0 overdue), 0 accepted, 0 closed.');
    expect((await list()).findings).toMatchObject([{ id, code: 'rto-missed', state: 'open' }]);
  });

  it('keeps owner, due day and ticket, and is 1 when one is overdue', async () => {
    keep('owner: kim', 'due: "2026-06-01"', 'ticket: OPS-1', 'severity: high');
    expect(await run({ asOf: '2026-06-01' })).toMatchObject({ code: 0, stdout: expect.stringContaining('owner kim, due 2026-06-01, ticket OPS-1, severity high') as string });
    expect(await list({ asOf: '2026-06-02' })).toMatchObject({ code: 1, findings: [{ overdue: true, owner: 'kim' }] });
  });

  it('closes by a later passed drill of the same runbook, not an older version', async () => {
    await closing({ at: '2026-06-01T07:00:00Z', version: '1.2.0' });
    expect(await list()).toMatchObject({ code: 0, findings: [{ state: 'closed', problems: [] }] });
    expect((await run()).stdout).not.toContain(id);
    expect((await run({ all: true })).stdout).toMatch(/closed: .* passed with pitr-restore 1\.2\.0/);
    // Before that drill it was open.
    expect(await list({ asOf: '2026-05-31' })).toMatchObject({ code: 1, findings: [{ state: 'open' }] });
  });

  it.each<[string, DrillOptions, RegExp]>([
    ['that failed', { at: '2026-06-01T07:00:00Z', version: '1.1.0', failAt: 'restore' }, /it failed/],
    ['that is incomplete', { at: '2026-06-01T07:00:00Z', version: '1.1.0', edit: (events) => events.filter((event) => !(event.type === 'evidence.recorded' && event.data.kind === 'health-checks')) }, /it is incomplete/],
    ['of an older version', { at: '2026-06-01T07:00:00Z', version: '1.0.9' }, /its runbook 1\.0\.9 is older than 1\.1\.0/],
    ['of another runbook', { at: '2026-06-01T07:00:00Z', version: '1.1.0', runbook: 'other' }, /it is a drill of other/],
    ['that came before', { at: '2026-04-01T07:00:00Z', version: '1.1.0' }, /it is not later/],
  ])('stays open, and is 1, with a drill %s', async (_, options, why) => {
    await closing(options);
    const { code, findings: listed } = await list();
    const finding = listed.find((each) => each.id === id);
    expect(code).toBe(1);
    expect(finding?.state).toBe('open');
    expect(finding?.problems[0]).toMatch(why);
  });

  it('is not closed by a drill whose bundle was edited, or is not there', async () => {
    const bundle = await closing({ at: '2026-06-01T07:00:00Z', version: '1.1.0' });
    writeFileSync(join(bundle, 'data/logs/restore.log'), 'another log\n');
    expect((await list()).findings[0]).toMatchObject({ state: 'open', problems: [expect.stringContaining('does not verify')] });
    rmSync(bundle, { recursive: true });
    expect((await list()).findings[0]).toMatchObject({ state: 'open', problems: [expect.stringContaining('no bundle of it here')] });
  });

  it('is not closed by a sandbox when it was found outside one', async () => {
    const outside = await writeDrill(folder.path, { ...found, at: '2026-05-02T07:00:00Z', environment: 'staging', sandbox: false });
    rmSync(failed, { recursive: true });
    id = (await list()).findings[0]?.id ?? '';
    const bundle = await closing({ at: '2026-06-01T07:00:00Z', version: '1.1.0' });
    expect((await list()).findings[0]?.problems[0]).toMatch(/it ran in a sandbox, and this was found in staging/);
    rmSync(bundle, { recursive: true });
    await closing({ at: '2026-06-02T07:00:00Z', version: '1.1.0', environment: 'staging', sandbox: false });
    expect((await list()).findings[0]?.state).toBe('closed');
    expect(outside).toBeTruthy();
  });

  it('notices that the bundle of a kept finding is gone', async () => {
    keep('owner: kim');
    rmSync(failed, { recursive: true });
    const { code, stdout } = await run();
    expect(code).toBe(1);
    expect(stdout).toMatch(new RegExp(`${id} comes from no bundle here`));
  });

  it('refuses a findings.yaml with mistakes, naming the line', async () => {
    keep('ownr: kim');
    await expect(run()).rejects.toThrow(/findings\.yaml:5:5: unknown key "ownr"/);
    keep('due: 2026-06-01x');
    await expect(run()).rejects.toThrow(DocumentError);
    writeFileSync(join(folder.path, 'findings.yaml'), `apiVersion: muster/v1\nkind: Findings\nfindings:\n  - id: ${id}\n  - id: ${id}\n`);
    await expect(run()).rejects.toThrow(/twice/);
  });

  it('prints nothing of others that a terminal or Markdown acts on', async () => {
    await writeDrill(folder.path, { at: '2026-07-01T07:00:00Z', hostile, failAt: 'restore' });
    keep(`owner: ${JSON.stringify(hostile)}`, `ticket: ${JSON.stringify(hostile)}`);
    expect((await run()).stdout).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}]|^# /mu);
    const { stdout } = await run({ format: 'markdown' });
    expect(stdout.replaceAll(/`[^`\n]*`/g, '')).not.toMatch(/<(?!!-- -->)|(?<!\\)\]\(|(?!\n)[\p{Cc}\p{Cf}]|@everyone/u);
  });
});

describe('a risk acceptance', () => {
  const key = () => join(folder.path, 'key');
  const accept = (until: string) => run({ accept: id, until, because: 'the new archive host comes in spring', key: key() });
  const file = () => join(folder.path, 'evidence', `acceptance-${id}.json`);
  const trust = (options = '') => writeFileSync(join(folder.path, 'signers'), `kim@example.org ${options}${readFileSync(`${key()}.pub`, 'utf8')}`);

  beforeEach(() => {
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key(), '-C', 'kim']);
    trust();
  });

  it('takes a finding off the list until its last day, for those who trust the key', async () => {
    expect((await accept('2027-03-31')).code).toBe(0);
    expect(await list({ allowedSigners: 'signers' })).toMatchObject({ code: 0, findings: [{ state: 'accepted', because: 'until 2027-03-31 by kim@example.org: the new archive host comes in spring' }] });
    expect(await list({ allowedSigners: 'signers', asOf: '2027-03-31' })).toMatchObject({ findings: [{ state: 'accepted' }] });
    expect(await list({ allowedSigners: 'signers', asOf: '2027-04-01' })).toMatchObject({ code: 1, findings: [{ state: 'open', problems: [expect.stringContaining('it ended on 2027-03-31')] }] });
    expect(await list()).toMatchObject({ code: 1, findings: [{ state: 'open', problems: [expect.stringContaining('--allowed-signers')] }] });
  });

  it('is one that ssh-keygen verifies', async () => {
    await accept('2027-03-31');
    const verified = execFileSync('ssh-keygen', ['-Y', 'verify', '-f', join(folder.path, 'signers'), '-I', 'kim@example.org', '-n', 'muster-approval', '-s', `${file()}.sig`], { input: readFileSync(file()) });
    expect(verified.toString()).toMatch(/Good "muster-approval" signature/);
  });

  it('does not hold when it was edited, is unsigned, or was signed by another or for something else', async () => {
    await accept('2027-03-31');
    const [text, signature] = [readFileSync(file(), 'utf8'), readFileSync(`${file()}.sig`, 'utf8')];
    const why = async () => (await list({ allowedSigners: 'signers' })).findings[0]?.problems[0];
    writeFileSync(file(), text.replace('2027-03-31', '2037-03-31'));
    expect(await why()).toMatch(/signature does not hold/);
    writeFileSync(file(), ` ${text}`);
    expect(await why()).toMatch(/canonical/);
    writeFileSync(file(), text);
    rmSync(`${file()}.sig`);
    expect(await why()).toMatch(/not signed/);
    writeFileSync(`${file()}.sig`, signature);
    expect(await why()).toBeUndefined();
    trust('namespaces="muster-drill" ');
    expect(await why()).toMatch(/nobody's among the allowed signers/);
  });

  it('does not hold for another finding', async () => {
    await accept('2027-03-31');
    await writeDrill(folder.path, { ...found, at: '2026-06-01T07:00:00Z' });
    const other = (await list()).findings.find((each) => each.id !== id)?.id ?? '';
    for (const ending of ['.json', '.json.sig']) writeFileSync(join(folder.path, 'evidence', `acceptance-${other}${ending}`), readFileSync(join(folder.path, 'evidence', `acceptance-${id}${ending}`)));
    expect((await list({ allowedSigners: 'signers' })).findings.find((each) => each.id === other)).toMatchObject({ state: 'open', problems: [expect.stringContaining('another finding')] });
  });

  it('needs a finding, a day, a reason and a key', async () => {
    await expect(run({ accept: 'F-000000000000', until: '2027-03-31', because: 'x', key: key() })).rejects.toThrow(/no finding/);
    await expect(run({ accept: id, until: 'spring', because: 'x', key: key() })).rejects.toThrow(UsageError);
    await expect(run({ accept: id, until: '2027-03-31', key: key() })).rejects.toThrow(/--because/);
  });
});

describe('versions', () => {
  it('are ordered as semver.org has it', () => {
    const ordered = ['1.0.0-alpha', '1.0.0-alpha.1', '1.0.0-alpha.beta', '1.0.0-beta', '1.0.0-beta.2', '1.0.0-beta.11', '1.0.0-rc.1', '1.0.0', '1.0.1', '1.2.0', '1.10.0', '2.0.0'];
    for (const [index, version] of ordered.entries()) for (const [other, than] of ordered.entries()) expect([version, than, compareVersions(version, than)]).toEqual([version, than, Math.sign(index - other)]);
  });
});
