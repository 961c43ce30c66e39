import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sha256 } from '../../src/engine/canonical.js';
import { DocumentError } from '../../src/engine/errors.js';
import { checkAgainst, loadEnvironment, loadRunbook } from '../../src/engine/load.js';
import { base, environmentBase } from './load-documents.js';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'muster-against-'));
  writeFileSync(join(folder, 'runbook.yaml'), base);
});
afterAll(() => rmSync(folder, { recursive: true }));

async function against(environment: string): Promise<string[]> {
  writeFileSync(join(folder, 'environment.yaml'), environment);
  try {
    checkAgainst(await loadRunbook('runbook.yaml', folder), await loadEnvironment('environment.yaml', folder));
    return [];
  } catch (error) {
    if (!(error instanceof DocumentError)) throw error;
    return error.diagnostics.map(({ position, message, hint }) => `${position.line}:${position.column} ${message}${hint === undefined ? '' : ` (${hint})`}`);
  }
}

describe('an environment for a runbook', () => {
  it('has everything that the runbook requires', async () => expect(await against(environmentBase)).toEqual([]));

  it('that lacks a connection and an endpoint is refused at the places of the runbook', async () => {
    expect(await against(environmentBase.replace('  copy:', '  kopy:').replace('  app:', '  web:'))).toEqual([
      '10:37 the environment "sandbox" has no connection "copy" (did you mean "kopy"?)',
      '10:52 the environment "sandbox" has no endpoint "app"',
    ]);
  });

  it('whose connection is of another kind is refused', async () => {
    expect(await against(environmentBase.replace('  copy: { kind: postgres, role: target, provision: restored-postgres }', '  copy: { kind: postgres-backups, role: target, provision: directory }'))).toEqual([
      '10:37 the connection "copy" of the environment "sandbox" is of another kind',
    ]);
  });
});

describe('a loaded document', () => {
  it('has the digest of its bytes and knows where everything stands', async () => {
    const loaded = await loadRunbook('runbook.yaml', folder);
    expect(loaded.sha256).toBe(sha256(base));
    expect(loaded.position(['steps', 1, 'with', 'argv', 0])).toEqual({ file: 'runbook.yaml', line: 26, column: 14 });
    expect(loaded.position(['steps', 1, 'with', 'cwd'])).toEqual({ file: 'runbook.yaml', line: 26, column: 7 });
  });

  it('of the other kind is refused', async () => {
    await expect(loadEnvironment('runbook.yaml', folder)).rejects.toThrow('runbook.yaml:2:7: this is no Environment');
  });

  it('that does not exist is refused', async () => {
    await expect(loadRunbook('nowhere.yaml', folder)).rejects.toThrow(/nowhere\.yaml:1:1: cannot be read/);
  });
});

it('the cost of loading grows with the number of steps, not with its square', async () => {
  const head = base.slice(0, base.indexOf('steps:'));
  const load = async (count: number): Promise<number> => {
    const steps = Array.from({ length: count }, (_, index) => `  - { id: s${index}, phase: prepare, uses: wait, with: { for: 1s } }\n`).join('');
    writeFileSync(join(folder, 'large.yaml'), `${head}steps:\n${steps}`);
    const before = process.cpuUsage();
    const { document } = await loadRunbook('large.yaml', folder);
    expect(document.steps).toHaveLength(count);
    const { user, system } = process.cpuUsage(before);
    return user + system;
  };
  await load(1000);
  const [few, many] = [await load(1000), await load(10_000)];
  // Processor time, so that a busy machine does not matter; a loader that compares every step with every other takes a hundred times.
  expect(many / few).toBeLessThan(40);
});
