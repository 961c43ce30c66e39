import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { init } from '../../src/cli/init.js';
import type { CommandIo } from '../../src/cli/io.js';
import { steps } from '../../src/cli/steps.js';
import { validate } from '../../src/cli/validate.js';
import { base, environmentBase } from '../engine/load-documents.js';

let cwd = '';
let out = '';
let err = '';
let io: CommandIo;

beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'muster-cli-'));
  [out, err] = ['', ''];
  io = { stdout: (text) => void (out += text), stderr: (text) => void (err += text), cwd, env: {} };
});
afterEach(() => rmSync(cwd, { recursive: true }));

describe('muster validate', () => {
  it('says of each sound document what it is', async () => {
    writeFileSync(join(cwd, 'r.yaml'), base);
    writeFileSync(join(cwd, 'e.yaml'), environmentBase);
    expect(await validate(['r.yaml', 'e.yaml'], io)).toBe(0);
    expect(out).toBe('r.yaml: valid Runbook base 1.0.0\ne.yaml: valid Environment sandbox\n');
  });

  it('shows every error with its line, a caret, what was expected and found, and a hint', async () => {
    writeFileSync(join(cwd, 'r.yaml'), base.replace('uses: exec', 'uses: exce').replace('owner:', 'ownr:'));
    expect(await validate(['r.yaml'], io)).toBe(2);
    expect(out).toContain(`r.yaml:24:11: there is no step type "exce"
  24 |     uses: exce
     |           ^
  expected: a step type
  found: "exce"
  hint: did you mean "exec"?
`);
    expect(out).toContain('r.yaml:7:3: unknown key "ownr"');
    expect(err).toBe('2 errors in 1 file\n');
  });

  it('goes on to the next file after a broken one', async () => {
    writeFileSync(join(cwd, 'r.yaml'), base);
    expect(await validate(['gone.yaml', 'r.yaml'], io)).toBe(2);
    expect(out).toContain('gone.yaml:1:1: cannot be read');
    expect(out).toContain('r.yaml: valid Runbook');
  });

  it('lets no control character of a document through to the terminal', async () => {
    writeFileSync(join(cwd, 'r.yaml'), base.replace('fault: injected', 'fault: "\u009b2J"'));
    expect(await validate(['r.yaml'], io)).toBe(2);
    expect(out).not.toContain('\u009b');
  });
});

describe('muster init', () => {
  it('copies a runbook and an environment that are sound where they are, with their schema', async () => {
    expect(await init({ runbook: 'pitr-restore', folder: 'drills' }, io)).toBe(0);
    expect(await validate(['drills/pitr-restore.yaml', 'drills/environments/sandbox.yaml'], io)).toBe(0);
    for (const file of ['drills/pitr-restore.yaml', 'drills/environments/sandbox.yaml']) {
      const path = join(cwd, file);
      const schema = /\$schema=(\S+)/.exec(readFileSync(path, 'utf8'))?.[1] ?? '';
      expect(existsSync(resolve(dirname(path), schema))).toBe(true);
    }
    expect(out).toContain('muster run drills/pitr-restore.yaml --env drills/environments/sandbox.yaml');
  });

  it('overwrites nothing', async () => {
    writeFileSync(join(cwd, 'pitr-restore.yaml'), 'mine');
    expect(await init({ runbook: 'pitr-restore' }, io)).toBe(2);
    expect(readFileSync(join(cwd, 'pitr-restore.yaml'), 'utf8')).toBe('mine');
    expect(existsSync(join(cwd, 'environments'))).toBe(false);
    expect(err).toContain('pitr-restore.yaml exists already');
  });

  it('names the runbook that was meant', async () => {
    expect(await init({ runbook: 'pitr-restor' }, io)).toBe(2);
    expect(err).toContain('did you mean "pitr-restore"?');
  });
});

describe('muster steps', () => {
  it('lists every type', async () => {
    expect(steps(undefined, io)).toBe(0);
    expect(out).toMatch(/^Steps\n[\s\S]* {2}postgres\.restore [\s\S]*\nProbes\n[\s\S]*postgres\.ledger[\s\S]*\nProvisioners[\s\S]*embedded-postgres/);
  });

  it('shows one entry of the reference and no other', async () => {
    expect(steps('wait', io)).toBe(0);
    expect(out).toMatch(/^### wait\n/);
    expect(out.match(/^### /gm)).toHaveLength(1);
    expect(out).toContain('| `for` | duration |');
  });

  it('names the type that was meant', async () => {
    expect(steps('postgres.restor', io)).toBe(2);
    expect(err).toContain('did you mean "postgres.restore"?');
  });
});
