import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { provisioner } from '../../../src/clients/provision/terragrunt.js';
import { changedCode } from '../../../src/clients/terragrunt/code.js';
import { readReport, readUnits, unitOfLine } from '../../../src/clients/terragrunt/report.js';
import { checkTerragruntVersion, readTerragruntVersion, unitArguments } from '../../../src/clients/terragrunt/versions.js';
import { systemClock } from '../../../src/engine/clock.js';
import { realPorts } from '../../steps/lib/context.js';

const folder = mkdtempSync(join(tmpdir(), 'muster-old-terragrunt-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('versions', () => {
  it.each([
    ['terragrunt version v1.1.3\n', '1.1.3'],
    ['terragrunt version 0.93.0', '0.93.0'],
    ['terragrunt version v0.90.0-rc1', '0.90.0-rc1'],
  ])('reads %j', (text, version) => expect(readTerragruntVersion(text)).toBe(version));

  it('does not take for a version what is none', () => expect(() => readTerragruntVersion('command not found')).toThrow('--version said'));

  it.each(['0.90.0', '0.99.4', '1.0.0', '1.1.3', '2.0.0'])('%s has run --all', (version) => expect(() => checkTerragruntVersion(version)).not.toThrow());
  it.each(['0.89.4', '0.45.0'])('%s would need run-all, and is refused with the reason', (version) => expect(() => checkTerragruntVersion(version)).toThrow(/run-all, which 0\.90 removed/));

  it('names units as the version takes them', () => {
    expect(unitArguments('1.1.3', ['a/b'])).toEqual(['--filter=./a/b']);
    expect(unitArguments('0.93.0', ['a/b'])).toEqual(['--queue-strict-include', '--queue-include-dir=a/b']);
    expect(unitArguments('1.1.3', undefined)).toEqual([]);
  });

  it('an old Terragrunt on the machine is refused before anything is done', async () => {
    const old = join(folder, 'terragrunt');
    writeFileSync(old, '#!/bin/sh\necho terragrunt version v0.80.2\n');
    chmodSync(old, 0o755);
    const ctx = { runId: 'run-1', signal: new AbortController().signal, ports: realPorts(), clock: systemClock(), log: () => undefined, connection: 'stack', role: 'target', workDir: folder, runbookDir: folder, secret: () => undefined, defer: () => Promise.reject(new Error('nothing is made')) } as const;
    await expect(provisioner.provision({ directory: folder, binary: old, terraform: old }, ctx)).rejects.toMatchObject({ code: 'terragrunt-too-old' });
  });
});

describe('what Terragrunt writes', () => {
  it('reads the report of its documentation, times in UTC', () => {
    const text = JSON.stringify([
      { Name: 'first-exclude', Started: '2025-06-05T16:28:41-04:00', Ended: '2025-06-05T16:28:41-04:00', Result: 'excluded', Reason: 'exclude block' },
      { Name: 'app', Started: '2025-06-05T16:28:41.123456789-04:00', Ended: '2025-06-05T16:28:42-04:00', Result: 'early exit', Reason: 'ancestor error', Cause: 'network', Cmd: 'apply', Args: ['-no-color'] },
    ]);
    expect(readReport(text)).toEqual([
      { unit: 'first-exclude', started: '2025-06-05T20:28:41.000Z', ended: '2025-06-05T20:28:41.000Z', result: 'excluded', reason: 'exclude block', cause: null },
      { unit: 'app', started: '2025-06-05T20:28:41.123Z', ended: '2025-06-05T20:28:42.000Z', result: 'early exit', reason: 'ancestor error', cause: 'network' },
    ]);
  });

  it.each(['', '{}', '[{"Name":"a"}]', '[{"Name":"a","Started":"soon","Ended":"later","Result":"succeeded"}]'])('does not take %j for a report', (text) => expect(() => readReport(text)).toThrow(/report/));

  it('reads units with what each hangs on, and leaves stacks out', () => {
    expect(readUnits('[{"type":"unit","path":"a"},{"type":"unit","path":"b","dependencies":["a"]},{"type":"stack","path":"s"}]')).toEqual([{ unit: 'a', after: [] }, { unit: 'b', after: ['a'] }]);
    expect(() => readUnits('a\nb\n')).toThrow('find --json');
  });

  it('knows which unit a line is about', () => {
    expect(unitOfLine('10:31:50.343 STDOUT [live/network] terraform: Plan: 1 to add')).toBe('live/network');
    expect(unitOfLine('❯❯ Run Summary  3 units  62ms')).toBeUndefined();
  });

  it('tells which code has changed', () => expect(changedCode({ a: '1', b: '2' }, { b: '3', c: '4' })).toEqual(['a', 'b', 'c']));
});
