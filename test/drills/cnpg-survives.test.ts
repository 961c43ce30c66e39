import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ownOf, requireOwnKubernetes } from '../components/kubernetes/index.js';
import { openStage, type Stage } from './cnpg.js';
import { before, drill, removeFolders, scratch } from './harness.js';

const describe = await requireOwnKubernetes('a stand-in is the operator of CloudNativePG');

describe('the loss of a primary with synchronous replication', () => {
  let stage: Stage;

  beforeAll(async () => {
    stage = await openStage({ synchronous: 1 });
  });

  afterAll(async () => {
    await stage?.stop();
    await removeFolders();
  });

  it('loses no acknowledged row, though a replica had stopped receiving', async () => {
    const gate = join(await scratch(), 'gate');
    const { drill: result, codes } = await drill(
      stage.drill('cnpg-failover', {
        runbook: (runbook) => {
          Object.assign(runbook.probes?.['ledger']?.with ?? {}, { every: '20ms' });
          before(runbook, 'lose-primary', { id: 'gate', phase: 'inject', uses: 'exec', with: { argv: ['sh', '-c', 'until [ -e "$0" ]; do sleep 0.05; done', gate], effect: 'read' }, timeout: '2m' });
        },
        environment: (environment) => (environment.boundary.commands = ['sh']),
        beside: async (live) => {
          await live.until((event) => event.type === 'step.started' && event.step === 'gate');
          await stage.cnpg.control.freezeReceivers(stage.cnpg.cluster, ['app-db-2']);
          await writeFile(gate, '');
        },
      }),
    );
    expect(codes).toEqual([]);
    expect(result.rpo).toMatchObject({ status: 'met', lost: 0 });
    expect(result.failovers).toMatchObject([{ from: 'app-db-1', to: 'app-db-3' }]);
    await stage.cnpg.healthy();
  });

  it('is followed to its end while the API server is restarted in its middle', async (context) => {
    const own = ownOf(stage.kubernetes, context, 'the API server is restarted');
    await stage.cnpg.control.set({ slow: { election: 2_000, rejoin: 1_000 } });
    const { drill: result, codes, events } = await drill(
      stage.drill('cnpg-failover', {
        beside: async (live) => {
          await live.until((event) => event.type === 'step.finished' && event.step === 'noticed');
          await own.restartApiServer();
        },
      }),
    );
    expect(codes).toEqual([]);
    expect(result.verdict).toBe('passed');
    expect(events.filter(({ type }) => type === 'step.attempt-failed')).toEqual([]);
    expect(result.failovers?.[0]?.to).not.toBe(result.failovers?.[0]?.from);
  });
});
