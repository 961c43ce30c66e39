import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { npmBinaries } from '../../../src/clients/provision/lib/binaries.js';
import { checkBinaries } from '../../../src/clients/provision/lib/check-binaries.js';

let folder: string;
beforeEach(() => {
  // 0700: nobody else can enter it.
  folder = mkdtempSync(join(tmpdir(), 'muster-binaries-'));
  symlinkSync(join(npmBinaries(), 'bin', 'postgres'), join(folder, 'postgres'));
});
afterEach(() => rmSync(folder, { recursive: true }));

it('PostgreSQL from npm can be run', async () => {
  expect(await checkBinaries(undefined, undefined)).toMatchObject([{ id: 'PostgreSQL binaries', result: 'passed', detail: expect.stringMatching(/^PostgreSQL \d+\.\d+ in /) as unknown }]);
});

it.runIf(process.getuid?.() === 0)('binaries that only root can run fail before the run: the server will be another user\'s', async () => {
  expect(await checkBinaries(folder, undefined)).toMatchObject([{ result: 'failed', detail: expect.stringContaining('may the user that PostgreSQL runs as execute it') as unknown }]);
});

it('binaries that are not there fail', async () => {
  expect(await checkBinaries('/no/such/folder', undefined)).toMatchObject([{ result: 'failed' }]);
});

it.runIf(process.getuid?.() === 0)('a user that does not exist fails before the run', async () => {
  expect(await checkBinaries(undefined, 'no-such-user')).toMatchObject([{ result: 'failed', detail: expect.stringContaining('no-such-user') as unknown }]);
});
