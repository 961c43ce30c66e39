import { randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { processPort } from '../../../src/clients/process/adapter.js';
import { identityOf } from '../../../src/clients/process/identity.js';
import { GuardError } from '../../../src/engine/errors.js';
import { refusing, scopeFor } from '../lib/scope.js';

const scope = scopeFor();
const port = processPort(scope);
const { signal } = new AbortController();
let dir: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'muster-process-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** Ends `controller` as soon as the command has said `line`; resolves to how `run` ended. */
async function abortedAt(line: string, script: string, options: { graceMs?: number; mark?: string } = {}): Promise<{ readonly error: unknown; readonly said: string[] }> {
  const controller = new AbortController();
  const said: string[] = [];
  const error: unknown = await port
    .run(['sh', '-c', script], { ...options, cwd: dir, onLine: (text) => void (said.push(text), text.startsWith(line) && controller.abort(new Error('timed out'))) }, controller.signal)
    .catch((caught: unknown) => caught);
  return { error, said };
}

describe('run', () => {
  test('gives exit code, output and lines', async () => {
    const lines: string[] = [];
    const result = await port.run(['sh', '-c', 'echo one; printf two; echo three >&2; exit 3'], { okExitCodes: [3], onLine: (line, stream) => lines.push(`${stream} ${line}`) }, signal);
    expect(result).toMatchObject({ exitCode: 3, stdout: 'one\ntwo', stderr: 'three\n' });
    expect(lines.toSorted()).toEqual(['stderr three', 'stdout one', 'stdout two']);
  });

  test('gives what a command says into files, too, up to its last line', async () => {
    const lines: string[] = [];
    const result = await port.run(['sh', '-c', 'echo one; echo three >&2; printf two'], { outlives: join(dir, 'said'), onLine: (line, stream) => lines.push(`${stream} ${line}`) }, signal);
    expect(result).toMatchObject({ exitCode: 0, stdout: 'one\ntwo', stderr: 'three\n' });
    expect(lines.toSorted()).toEqual(['stderr three', 'stdout one', 'stdout two']);
    await expect(port.run(['sh', '-c', 'echo why >&2; exit 4'], { outlives: join(dir, 'said') }, signal)).rejects.toThrow(/exited with 4:\nwhy/);
  });

  test('passes arguments as they are: no shell reads them', async () => {
    const argument = '$(touch pwned); `id` "quoted" *';
    expect((await port.run(['printf', '%s', argument], { cwd: dir }, signal)).stdout).toBe(argument);
    expect(existsSync(join(dir, 'pwned'))).toBe(false);
  });

  test('inherits PATH, HOME, LANG and TZ only, and is told who it is by name', async () => {
    process.env['PGHOST'] = 'prod.example';
    process.env['PGAPPNAME'] = 'somebody else';
    try {
      const { stdout } = await port.run(['env'], { env: { GIVEN: '1', MUSTER_RUN: 'another' }, mark: 'm' }, signal);
      const names = stdout.trim().split('\n').map((line) => line.split('=')[0]);
      expect(names).toEqual(expect.arrayContaining(['PATH', 'GIVEN', 'PGAPPNAME', 'MUSTER_RUN', 'MUSTER_STEP', 'MUSTER_MARK']));
      expect(names.filter((name) => !['PATH', 'HOME', 'LANG', 'TZ', 'GIVEN', 'PGAPPNAME', 'MUSTER_RUN', 'MUSTER_STEP', 'MUSTER_MARK'].includes(name ?? ''))).toEqual([]);
      expect(stdout).toContain('MUSTER_RUN=run-1\n');
      // What a watcher knows our children's sessions by.
      expect(stdout).toMatch(/^PGAPPNAME=muster\/run-1\/.+$/m);
    } finally {
      delete process.env['PGHOST'];
      delete process.env['PGAPPNAME'];
    }
  });

  test('feeds its standard input', async () => {
    expect((await port.run(['cat'], { input: 'text' }, signal)).stdout).toBe('text');
  });

  test('keeps the last MiB of an endless output', async () => {
    const { stdout } = await port.run(['sh', '-c', 'head -c 3000000 /dev/zero | tr "\\0" a; echo end'], {}, signal);
    expect(stdout).toHaveLength(1 << 20);
    expect(stdout.endsWith('aend\n')).toBe(true);
  });

  test.each([
    [['sh', '-c', 'echo why >&2; exit 4'], { code: 'command-failed', message: 'sh exited with 4:\nwhy' }],
    [['sh', '-c', 'kill -KILL $$'], { code: 'command-killed' }],
    [['muster-has-no-such-program'], { code: 'command-not-found' }],
    [['./nothing'], { code: 'command-not-found' }],
  ] as const)('%j ends in a named error', async (argv, error) => {
    const [program, ...args] = argv;
    await expect(port.run([program, ...args], { cwd: dir }, signal)).rejects.toMatchObject(error);
  });

  test('asks the guard with the absolute path before anything runs', async () => {
    await expect(processPort(refusing(new GuardError('outside'))).run(['touch', 'made'], { cwd: dir }, signal)).rejects.toThrow('outside');
    expect(existsSync(join(dir, 'made'))).toBe(false);
    scope.passed.length = 0;
    await port.run(['touch', 'made'], { cwd: dir, effect: 'create' }, signal);
    expect(scope.passed).toEqual([{ target: { kind: 'command', file: expect.stringMatching(/^\/.*\/touch$/) as string, args: ['made'], cwd: dir, env: {} }, effect: 'create' }]);
  });

  test('an abort ends the whole tree, also a grandchild that ignores SIGTERM', async () => {
    // The middle process dies of SIGTERM at once; the grandchild does not.
    const script = `sh -c 'trap "" TERM; echo "pid $$"; while :; do sleep 1; done' & wait`;
    const { error, said } = await abortedAt('pid', script, { graceMs: 100 });
    expect(error).toMatchObject({ message: 'timed out' });
    const pid = Number(/^pid (\d+)$/.exec(said[0] ?? '')?.[1]);
    expect(pid).toBeGreaterThan(1);
    expect(await identityOf(pid)).toBeUndefined();
  });

  test('what a finished command left behind is ended, and does not keep it waiting', async () => {
    const { stdout } = await port.run(['sh', '-c', 'sleep 600 & echo $!'], {}, signal);
    expect(await identityOf(Number(stdout))).toBeUndefined();
  });

  test('with a mark a service goes on after its command, and a failed command leaves none', async () => {
    const mark = randomUUID();
    const { stdout } = await port.run(['sh', '-c', 'sleep 600 & echo $!'], { mark }, signal);
    expect(await identityOf(Number(stdout))).toBeDefined();
    await port.endMarked(mark);
    expect(await identityOf(Number(stdout))).toBeUndefined();
    const pids: string[] = [];
    await expect(port.run(['sh', '-c', 'sleep 600 & echo $!; exit 1'], { mark, onLine: (line) => pids.push(line) }, signal)).rejects.toMatchObject({ code: 'command-failed' });
    expect(await identityOf(Number(pids[0]))).toBeUndefined();
  });
});

describe('after a crash', () => {
  test('a process that left its group is found by run and mark, and by nothing else', async () => {
    const mark = randomUUID();
    // setsid leaves the group, and the command ends once that has happened.
    const { stdout } = await port.run(['sh', '-c', 'mkfifo left; setsid sh -c "echo \\$\\$ > left; exec sleep 600" & cat left'], { cwd: dir, mark }, signal);
    const pid = Number(stdout);
    expect(pid).toBeGreaterThan(1);
    await port.endMarked(randomUUID());
    await processPort(scopeFor(undefined, 'run-2')).endMarked(mark);
    expect(await identityOf(pid)).toBeDefined();
    await port.endMarked(mark);
    expect(await identityOf(pid)).toBeUndefined();
    await port.endMarked(mark);
  });

  test('a pid that belongs to another process by now is left alone', async () => {
    let identity = { pid: 0, startTime: '' };
    const controller = new AbortController();
    const ended = port.run(['sleep', '600'], { onStart: (started) => Promise.resolve(void (identity = started)) }, controller.signal).catch((error: unknown) => error);
    while (identity.pid === 0) await new Promise((resolve) => setImmediate(resolve));
    await port.end({ ...identity, startTime: '1' });
    expect(await port.identity(identity.pid)).toEqual(identity);
    await port.end(identity);
    expect(await port.identity(identity.pid)).toBeUndefined();
    expect(await ended).toMatchObject({ code: 'command-killed' });
  });
});

test('which finds what the guard lets pass', async () => {
  expect(await port.which('sh')).toMatch(/^\/.*\/sh$/);
  expect(await port.which('muster-has-no-such-program')).toBeUndefined();
  expect(await processPort(refusing(new GuardError('outside'))).which('sh')).toBeUndefined();
});
