import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { canonicalJson } from '../../src/engine/canonical.js';
import type { Plan } from '../../src/engine/plan-document.js';
import { environment, Place, runbook } from './lib.js';

let place: Place;
beforeEach(() => {
  place = new Place();
});
afterEach(() => place.remove());

const stack = /\n\s+at .+:\d+:\d+/;

describe('the command line', () => {
  it.each([
    [['--bogus'], /unknown option '--bogus'/],
    [['bogus'], /unknown command 'bogus'/],
    [['rum'], /Did you mean run\?/],
    [['validate'], /missing required argument 'document'[\s\S]*muster --help/],
    [['plan', '--env', environment], /missing required argument 'runbook'/],
    [['plan', runbook], /required option '--env <environment>' not specified/],
    [['run', runbook, '--env', environment, '--ye'], /unknown option '--ye'/],
    [['plan', runbook, '--env', environment, '--format', 'pdf'], /Allowed choices are text, markdown, json/],
    [['plan', runbook, '--env', environment, '--set', 'size'], /--set: expected name=value, found "size"/],
    [['plan', runbook, '--env', environment, '--set', 'size=many'], /input "size": expected an integer, at least 1 and at most 9, found "many"/],
    [['plan', runbook, '--env', environment, '--set', 'size=10'], /input "size": .* found "10"/],
    [['plan', runbook, '--env', environment, '--set', 'sise=2'], /unknown input "sise": expected one of size, token/],
    [['plan', runbook, '--env', environment, '--set', 'size=2', '--set', 'size=3'], /size is given twice/],
    [['plan', 'nowhere.yaml', '--env', environment], /nowhere\.yaml/],
    [['cleanup', 'nothing'], /no run "nothing"; there are no runs/],
    [['verify', 'nowhere'], /there is no nowhere/],
    [['report', 'nowhere'], /there is no bundle nowhere/],
    [['report', '.'], /\. is no bundle of evidence/],
    [['pack', '.'], /\. is no bundle of evidence/],
    [['amend', '.'], /\. is no bundle of evidence/],
    [['compare', '.', '.'], /\. is no bundle of evidence/],
  ])('%j is refused with 2, says why, and shows no stack trace', async (args, message) => {
    const { code, stdout, stderr } = await place.run(args);
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(stack);
    expect(stdout).toBe('');
    expect(code).toBe(2);
    expect(readdirSync(place.cwd)).toEqual([]);
  });

  it('shows the stack of an error when asked with MUSTER_DEBUG=1', async () => {
    const { code, stderr } = await place.run(['plan', runbook, '--env', environment, '--set', 'size'], { MUSTER_DEBUG: '1' });
    expect(stderr).toMatch(stack);
    expect(code).toBe(2);
  });

  it('says its version and lists only commands that exist', async () => {
    expect((await place.run(['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
    const { stdout, code } = await place.run(['--help']);
    expect(code).toBe(0);
    const names = [...stdout.matchAll(/^ {2}([a-z]+) /gm)].map(([, name]) => String(name));
    expect(names).toContain('run');
    for (const name of names) expect((await place.run([name, '--help'])).code, name).toBe(0);
  });
});

describe('muster plan', () => {
  it('starts nothing and writes nothing, and makes destroying steps stand out', async () => {
    const { code, stdout, stderr } = await place.run(['plan', runbook, '--env', environment]);
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(stdout).toContain('inject  DESTROYS');
    expect(stdout).not.toContain('\u001b[');
    expect(readdirSync(place.cwd)).toEqual([]);
  });

  it('saves a plan whose digest anybody can compute, and overwrites none', async () => {
    const args = ['plan', runbook, '--env', environment, '--out', 'plan.json', '--format', 'markdown'];
    expect((await place.run(args)).stdout).toContain('**Destroying steps:** `inject`');
    const plan = JSON.parse(readFileSync(join(place.cwd, 'plan.json'), 'utf8')) as Plan;
    expect(createHash('sha256').update(canonicalJson(plan.binding)).digest('hex')).toBe(plan.digest);
    const again = await place.run(args);
    expect(again.code).toBe(2);
    expect(again.stderr).toContain('--out: cannot write plan.json');
  });

  it('types what --set gives and keeps sensitive inputs out', async () => {
    const { stdout } = await place.run(['plan', runbook, '--env', environment, '--set', 'size=7', '--set', 'token=c4n4ry-secret', '--format', 'json']);
    expect((JSON.parse(stdout) as Plan).binding.inputs).toMatchObject({ size: 7, token: { unknown: 'inputs.token' } });
    expect(stdout).not.toContain('c4n4ry');
  });

  it('tells what is wrong in both documents at once, each with its place', async () => {
    writeFileSync(join(place.cwd, 'r.yaml'), readFileSync(runbook, 'utf8').replace('uses: exec', 'uses: exce'));
    writeFileSync(join(place.cwd, 'e.yaml'), readFileSync(environment, 'utf8').replace('boundary', 'bundary'));
    const { code, stderr } = await place.run(['plan', 'r.yaml', '--env', 'e.yaml']);
    expect(code).toBe(2);
    expect(stderr).toMatch(/r\.yaml:17:\d+: there is no step type "exce"/);
    expect(stderr).toMatch(/e\.yaml:5:\d+: /);
  });
});
