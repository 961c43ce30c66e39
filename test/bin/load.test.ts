import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { packageRoot } from '../../src/engine/package-root.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'muster-load-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Loads `file` in a process of its own and keeps its code as the build does; says what it exports, and whether V8 took kept code. */
function loaded(file: string): string {
  const program = `
    const { load, scripts } = require(${JSON.stringify(join(packageRoot(), 'bin', 'load.js'))});
    const value = load(${JSON.stringify(file)});
    const [[kept, script]] = scripts;
    const { existsSync, writeFileSync } = require('node:fs');
    const had = existsSync(kept) && !script.cachedDataRejected;
    writeFileSync(kept, script.createCachedData());
    console.log(value, had, kept);`;
  const [value, had, kept = ''] = execFileSync(process.execPath, ['-e', program], { encoding: 'utf8' }).trim().split(' ');
  keptFiles.add(kept);
  return `${value} ${had}`;
}

const keptFiles = new Set<string>();
afterEach(() => {
  for (const file of keptFiles) rmSync(file);
  keptFiles.clear();
});

it('takes kept code for the very text that it was made of, and never for another of the same length', () => {
  const file = join(folder, 'validator.cjs');
  writeFileSync(file, 'module.exports = 1;');
  expect(loaded(file)).toBe('1 false');
  expect(loaded(file)).toBe('1 true');
  writeFileSync(file, 'module.exports = 2;');
  expect(loaded(file)).toBe('2 false');
});
