import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { controls, type ControlsArgs } from '../../src/cli/controls.js';
import { DocumentError, UsageError } from '../../src/engine/errors.js';
import { loadControlMapping } from '../../src/engine/load/record.js';
import { packageRoot } from '../../src/engine/package-root.js';
import { recomputeManifests, workFolder } from '../evidence/lib/bundle.js';
import { capture, hostile, writeDrill } from '../report/lib/drills.js';

let folder: Awaited<ReturnType<typeof workFolder>>;
beforeEach(async () => {
  folder = await workFolder();
});
afterEach(() => folder.remove());

const run = async (more: Partial<ControlsArgs> = {}) => {
  const { out, io } = capture(folder.path);
  const code = await controls({ mapping: [], framework: [], evidenceDir: 'evidence', asOf: '2026-12-01', format: 'text', ...more }, io);
  return { code, ...out };
};

describe('the shipped mappings', () => {
  const files = readdirSync(join(packageRoot(), 'mappings'));

  it('are those of seven frameworks, each with its source', async () => {
    const all = await Promise.all(files.map((name) => loadControlMapping(join('mappings', name), packageRoot())));
    expect(all.map(({ metadata }) => metadata.framework).toSorted()).toEqual(['dora', 'ffiec', 'hipaa', 'iso27001', 'nist-800-53', 'pci-dss', 'soc2']);
    for (const { controls: each } of all) for (const control of each) expect([control.id, control.shows.length > 0, control.not.length > 0]).toEqual([control.id, true, true]);
  });
});

describe('muster controls', () => {
  it('leads from each control to its latest drill, also when that failed after an earlier pass', async () => {
    await writeDrill(folder.path, { at: '2026-08-01T07:00:00Z' });
    await writeDrill(folder.path, { at: '2026-11-01T07:00:00Z', rtoMs: 4000 });
    const { code, stdout } = await run({ framework: ['soc2'] });
    expect(code).toBe(0);
    expect(stdout).toMatch(/soc2\/A1\.3 .*\n {4}failed {2}RTO 8\.05 s!, RPO 0\.15 s {2}30 days old {2}pitr-restore 1\.0\.0 in sandbox \(sandbox\)/);
    expect(stdout).toMatch(/no drill: no runbook that was drilled names\n {4}soc2\/A1\.2 /);
    expect(stdout).toMatch(/1 of 2 drills passed, the last on 2026-08-01 with version 1\.0\.0 \(20260801T070000Z-pitr-restore-[0-9a-f]{6}\)/);
    expect(stdout).toContain('Of 2 controls, 1 has a drill. The latest drill passed for 0 of them and did not for 1.');
    expect(stdout).not.toContain('in no mapping');
    expect(stdout).toContain('unsigned; no review');
    expect((await run({ framework: ['soc2'], asOf: '2026-08-02' })).stdout).toMatch(/soc2\/A1\.3 .*\n {4}passed/);
  });

  it.each(['text', 'markdown', 'json'])('says in %s that it does not assess compliance', async (format) => {
    await writeDrill(folder.path);
    expect((await run({ format })).stdout).toContain('It does not assess compliance');
  });

  it('does not show the verdict of a bundle that does not verify', async () => {
    const bundle = await writeDrill(folder.path, { rtoMs: 4000 });
    const file = join(bundle, 'data/drill.json');
    writeFileSync(file, readFileSync(file, 'utf8').replace('"verdict":"failed"', '"verdict":"passed"'));
    recomputeManifests(bundle);
    const { stdout } = await run({ framework: ['soc2'] });
    expect(stdout).toMatch(/DOES NOT VERIFY/);
    expect(stdout).not.toMatch(/^ {4}passed/m);
  });

  it('names who signed and who reviewed, by the allowed signers', async () => {
    const bundle = await writeDrill(folder.path);
    const key = join(folder.path, 'key');
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key, '-C', 'kim']);
    mkdirSync(join(bundle, 'sig'));
    const sign = (namespace: string, path: string) => execFileSync('ssh-keygen', ['-q', '-Y', 'sign', '-f', key, '-n', namespace, path], { stdio: 'ignore' });
    writeFileSync(join(bundle, 'sig/approval-kim.json'), '{"review":"seen"}\n');
    sign('muster-approval', join(bundle, 'sig/approval-kim.json'));
    const facts = async (allowedSigners?: string) => {
      const parsed = JSON.parse((await run({ format: 'json', allowedSigners })).stdout) as { frameworks: { metadata: { framework: string }; rows: { id: string; drills: { reviewers: string[]; seal: string }[] }[] }[] };
      return parsed.frameworks.find(({ metadata }) => metadata.framework === 'soc2')?.rows.find(({ id }) => id === 'soc2/A1.3')?.drills[0];
    };
    writeFileSync(join(folder.path, 'signers'), `kim@example.org ${readFileSync(`${key}.pub`, 'utf8')}`);
    expect(await facts('signers')).toMatchObject({ seal: 'unsigned', reviewers: ['sig/approval-kim.json: signed by kim@example.org'] });
    expect((await facts())?.reviewers[0]).toMatch(/whose key that is was not checked/);
    writeFileSync(join(bundle, 'sig/approval-kim.json'), '{"review":"approved"}\n');
    expect((await facts('signers'))?.reviewers[0]).toMatch(/signature does not hold/);
  });

  it('takes mappings of the user, by name of control or of runbook, and lists what no mapping holds', async () => {
    await writeDrill(folder.path, { controls: ['own/R-1', 'soc3/X'] });
    const mapping = (id: string, more = '') => `apiVersion: muster/v1\nkind: ControlMapping\nmetadata: { framework: own, title: Our rules, source: handbook, checked: primary }\ncontrols:\n  - { id: ${id}, title: Restore, asks: a drill, shows: [it], not: [more]${more} }\n`;
    writeFileSync(join(folder.path, 'own.yaml'), `${mapping('own/R-1')}  - { id: own/R-2, title: Also, asks: a drill, shows: [it], not: [more], runbooks: [pitr-restore] }\n`);
    const { stdout } = await run({ mapping: ['own.yaml'], framework: ['own'] });
    expect(stdout).toMatch(/own\/R-1 .*\n {4}passed/);
    expect(stdout).toMatch(/own\/R-2 .*\n {4}passed/);
    expect(stdout).toMatch(/Named by runbooks, in no mapping\n {2}soc3\/X\n {4}passed/);
    writeFileSync(join(folder.path, 'own.yaml'), mapping('other/R-1'));
    await expect(run({ mapping: ['own.yaml'] })).rejects.toThrow(/own\.yaml:5:.*another framework/);
    writeFileSync(join(folder.path, 'own.yaml'), mapping('own/R-1', ', extra: 1'));
    await expect(run({ mapping: ['own.yaml'] })).rejects.toThrow(DocumentError);
    await expect(run({ framework: ['sox'] })).rejects.toThrow(UsageError);
  });

  it('prints nothing of others that a terminal or Markdown acts on', async () => {
    await writeDrill(folder.path, { controls: [hostile, 'soc2/A1.3'], hostile });
    expect((await run()).stdout).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}]|^# /mu);
    expect((await run({ format: 'markdown' })).stdout.replaceAll(/`[^`\n]*`/g, '')).not.toMatch(/<(?!!-- -->)|(?<!\\)\]\(|(?!\n)[\p{Cc}\p{Cf}]|@everyone/u);
  });
});
