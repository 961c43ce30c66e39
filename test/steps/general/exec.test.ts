import { chmodSync, existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { identityOf } from '../../../src/clients/process/identity.js';
import { step } from '../../../src/steps/general/exec.js';
import { contextFor, realPorts, toldOf } from '../lib/context.js';

let dir: string;
beforeEach(() => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), 'muster-exec-')));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const { signal } = new AbortController();
const planContext = () => ({ ports: realPorts(), runbookDir: dir, signal });

describe('run', () => {
  test('gives exit code, stdout and JSON, in the runbook’s folder', async () => {
    writeFileSync(join(dir, 'say.sh'), 'echo "{\\"in\\": \\"$PWD\\", \\"was\\": \\"$1\\"}"\n');
    const context = contextFor({ runbookDir: dir });
    const output = await step.run({ argv: ['sh', 'say.sh', 'a b'], outputs: 'json', effect: 'read' }, context);
    expect(output).toMatchObject({ exitCode: 0, json: { in: dir, was: 'a b' } });
    expect(toldOf(context, 'log')).toHaveLength(1);
  });

  test('a script gets values as arguments, where they are no shell text', async () => {
    const value = '"; touch pwned; echo "';
    const output = await step.run({ shell: 'sh', script: 'printf %s "$1$GIVEN"', argv: [value], env: { GIVEN: '$(id)' }, effect: 'read' }, contextFor({ runbookDir: dir }));
    expect(output.stdout).toBe(`${value}$(id)`);
    expect(existsSync(join(dir, 'pwned'))).toBe(false);
  });

  test('a script stops at its first error, in bash also inside a pipe', async () => {
    await expect(step.run({ shell: 'sh', script: 'false; echo on', effect: 'read' }, contextFor({ runbookDir: dir }))).rejects.toMatchObject({ code: 'command-failed' });
    await expect(step.run({ shell: 'bash', script: 'false | cat', effect: 'read' }, contextFor({ runbookDir: dir }))).rejects.toMatchObject({ code: 'command-failed' });
  });

  test('a health check is recorded whether it holds or not', async () => {
    const well = contextFor();
    await step.run({ argv: ['sh', '-c', 'exit 3'], expectExit: [3], effect: 'read', health: 'It runs' }, well);
    expect(toldOf(well, 'evidence health-checks')).toEqual([{ checks: [{ name: 'It runs', ok: true, detail: 'exit code 3' }] }]);
    const ill = contextFor();
    await expect(step.run({ argv: ['sh', '-c', 'echo no >&2; exit 3'], effect: 'read', health: 'It runs' }, ill)).rejects.toThrow('exited with 3:\nno');
    expect(toldOf(ill, 'evidence health-checks')).toEqual([{ checks: [{ name: 'It runs', ok: false, detail: 'sh exited with 3:\nno' }] }]);
  });

  const wrong: [Parameters<typeof step.run>[0], string][] = [
    [{ effect: 'read' }, 'bad-input'],
    [{ shell: 'sh', effect: 'read' }, 'bad-input'],
    [{ argv: ['x'], script: 'true', effect: 'read' }, 'bad-input'],
    [{ argv: ['echo', '{'], outputs: 'json', effect: 'read' }, 'output-not-json'],
  ];
  test.each(wrong)('%j ends in %s', async (given, code) => {
    await expect(step.run(given, contextFor())).rejects.toMatchObject({ code });
  });
});

test('what it started is found and ended by its cleanup, from another process that has the journal only', async () => {
  const context = contextFor({ runbookDir: dir });
  const { stdout } = await step.run({ shell: 'sh', script: 'sleep 600 >/dev/null 2>&1 & echo $!', effect: 'create' }, context);
  expect(context.told[0]?.[0]).toBe('defer');
  const [call] = toldOf(context, 'defer') as { uses: string; with: Record<string, unknown> }[];
  const [identity] = toldOf(context, 'confirm') as Record<string, unknown>[];
  expect(call?.uses).toBe('exec/end');
  expect(await identityOf(Number(stdout))).toBeDefined();
  for (let twice = 0; twice < 2; twice++) await step.cleanups?.['end']?.run(call?.with ?? {}, identity, contextFor());
  expect(await identityOf(Number(stdout))).toBeUndefined();
});

describe('plan', () => {
  test('shows the call with what is not known yet, and takes scripts beside the runbook into it', async () => {
    mkdirSync(join(dir, 'scripts'));
    for (const name of ['scripts/a.sh', 'b.sql']) writeFileSync(join(dir, name), '');
    const planned = await step.plan({ argv: ['sh', 'scripts/a.sh', 'a b', { unknown: 'steps.x.y' }, 'b.sql', './b.sql', '../../etc/passwd', 'scripts', 'absent'], effect: 'modify' }, planContext());
    expect(planned.calls).toEqual(["sh scripts/a.sh 'a b' <steps.x.y> b.sql ./b.sql ../../etc/passwd scripts absent"]);
    expect(planned.files).toEqual(['scripts/a.sh', 'b.sql']);
    expect((await step.plan({ argv: ['sh', 'a.sh'], cwd: 'scripts', effect: 'read' }, planContext())).files).toEqual(['scripts/a.sh']);
  });

  test('says what it may alter: what the author declares, else all that the command reaches', () => {
    expect(step.changes({ argv: ['kubectl', 'x'], effect: 'modify' })).toEqual([{ system: 'command:kubectl', object: '*' }]);
    expect(step.changes({ argv: ['x'], effect: 'modify', changes: [{ system: 'dns', object: { unknown: 'inputs.name' } }] })).toEqual([{ system: 'dns', object: '<inputs.name>' }]);
    expect(step.changes({ argv: ['x'], effect: 'read' })).toEqual([]);
    expect(step.permissions({ shell: 'bash', script: 'true', effect: 'read' })).toEqual([{ system: 'command', command: 'bash' }]);
  });

  test('preflight names a program that is not there', async () => {
    const program = join(dir, 'tool');
    expect(await step.preflight?.({ argv: [program], effect: 'read' }, planContext())).toMatchObject([{ result: 'failed' }]);
    writeFileSync(program, '#!/bin/sh\n');
    chmodSync(program, 0o755);
    expect(await step.preflight?.({ argv: [program], effect: 'read' }, planContext())).toMatchObject([{ result: 'passed', detail: program }]);
    expect(await step.preflight?.({ argv: [{ unknown: 'steps.x.y' }], effect: 'read' }, planContext())).toMatchObject([{ result: 'deferred' }]);
  });

  test.each([
    { argv: ['sh', 'x', 'terragrunt', 'run-all', 'apply'] },
    { shell: 'bash', script: 'cd live && TG=1 terragrunt --terragrunt-non-interactive apply-all', argv: [] },
  ])('preflight refuses what Terragrunt has removed, with the reason: %j', async (given) => {
    const checks = await step.preflight?.({ ...given, effect: 'modify' } as Parameters<typeof step.run>[0], planContext());
    expect(checks).toContainEqual(expect.objectContaining({ result: 'failed', detail: expect.stringMatching(/0\.90 removed (run|apply)-all/) as string }));
  });

  test('preflight lets run --all pass', async () => {
    const checks = await step.preflight?.({ argv: ['sh', 'terragrunt', 'run', '--all', '--', 'plan'], effect: 'read' }, planContext());
    expect(checks).toHaveLength(1);
  });
});
