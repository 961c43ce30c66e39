import { randomUUID } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Environment, Runbook } from '../../src/engine/documents.js';
import { after, stepOf, type LiveDrill } from './harness.js';

interface Meanwhile {
  readonly runbook: (runbook: Runbook) => void;
  readonly environment: (environment: Environment) => void;
  readonly beside: (live: LiveDrill) => Promise<void>;
}

/** Has `work` happen after that step: the drill goes on when it is done, however slow the machine is. */
export function meanwhile(step: string, work: () => Promise<unknown>): Meanwhile {
  const file = join(tmpdir(), `gate-${randomUUID()}`);
  return {
    runbook: (runbook) => after(runbook, step, { id: 'gate', phase: stepOf(runbook, step).phase, uses: 'exec', with: { argv: ['sh', '-c', `until [ -e ${file} ]; do sleep 0.05; done`], effect: 'read' }, timeout: '2m' }),
    environment: ({ boundary }) => (boundary.commands = [...(boundary.commands ?? []), 'sh']),
    async beside(live) {
      await live.until(({ type, step: at }) => type === 'step.started' && at === 'gate');
      try {
        await work();
      } finally {
        await writeFile(file, '');
        await live.ended;
        await rm(file);
      }
    },
  };
}
