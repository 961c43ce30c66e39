import { spawnSync } from 'node:child_process';
import { afterAll, describe, expect, test } from 'vitest';
import type { Runbook } from '../../src/engine/documents.js';
import { before, drill, removeFolders } from './harness.js';

afterAll(removeFolders);

const atTerminal = spawnSync('script', ['--version']).status === 0 && process.platform === 'linux';
if (!atTerminal) process.stderr.write('NOT RUN: drills at a terminal need script(1) of util-linux\n');

/** A step that nothing in the runbook can make succeed. */
function broken(runbook: Runbook): void {
  before(runbook, 'switch', { id: 'broken', phase: 'restore', uses: 'assert', with: { that: [{ name: 'One is two', actual: 1, equals: 2 }] } });
}

describe.runIf(atTerminal)('at a terminal', () => {
  test('a failed step that the operator skips: step-skipped, and it failed', async () => {
    const judged = await drill({ terminal: true, runbook: broken, beside: (live) => live.answer('What now?', 's') });
    expect(judged.drill.verdict).toBe('failed');
    expect(judged.codes).toEqual(['step-failed', 'step-skipped']);
  });

  test('a failed step that the operator has tried again: operator-retry, even if nothing else is wrong', async () => {
    const judged = await drill({
      terminal: true,
      runbook: (runbook) => before(runbook, 'switch', { id: 'shaky', phase: 'restore', uses: 'exec', with: { shell: 'sh', script: 'test -e "$1/done" || { : > "$1/done"; exit 1; }', argv: ['{{ state }}'], effect: 'modify', changes: [{ system: 'fixture', object: '*' }] } }),
      environment: ({ boundary }) => (boundary.commands = [...(boundary.commands ?? []), 'sh']),
      beside: (live) => live.answer('What now?', 'r'),
    });
    expect(judged.drill.verdict).toBe('failed');
    expect(judged.codes).toEqual(['operator-retry']);
  });
});
