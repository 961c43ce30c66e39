import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import type { Runbook } from '../../src/engine/documents.js';
import type { EventOf } from '../../src/engine/events.js';
import { requireOwnKubernetes } from '../components/kubernetes/index.js';
import { serveKubelet } from '../components/kubernetes/kubelet.js';
import { markedObjects } from '../components/kubernetes/marked.js';
import { openStage, type Stage } from './cnpg.js';
import { meanwhile } from './meanwhile.js';
import { before, drill, edit, removeFolders, stepOf, type LiveDrill } from './harness.js';

const describe = await requireOwnKubernetes('a stand-in is the operator of CloudNativePG');

describe('the loss of the primary', () => {
  let stage: Stage;

  beforeAll(async () => {
    stage = await openStage({ pooler: 'app-pooler' });
  });

  afterEach(async () => {
    expect(await markedObjects(stage.kubernetes)).toEqual([]);
    await stage.cnpg.control.set({ slow: {}, neverElects: false, staysAway: [], archivingFails: false });
    await stage.cnpg.healthy(undefined, 60_000);
  }, 90_000);

  afterAll(async () => {
    await stage?.stop();
    await removeFolders();
  });

  const primary = async (): Promise<string> => (await stage.cnpg.healthy()).status?.currentPrimary ?? '';
  const shorter = (step: string, within: string) => (runbook: Runbook) => edit(runbook, step, { within });

  it('passes: another instance takes over, nothing is lost, the former primary comes back', async () => {
    const former = await primary();
    await stage.cnpg.control.set({ slow: { election: 300, promotion: 300 } });
    const drilled = await drill(stage.drill('cnpg-failover', { watched: 'audited' }));
    expect(drilled.codes).toEqual([]);
    expect(drilled.drill.verdict).toBe('passed');
    expect(drilled.drill.rpo).toMatchObject({ status: 'met', lost: 0, basis: 'ledger' });
    const [failover] = drilled.drill.failovers ?? [];
    const [from, to] = failover?.timelines ?? [];
    expect(failover).toMatchObject({ from: former, to: await primary() });
    expect(to).toBe((from ?? 0) + 1);
    const { detectionMs, electionMs, promotionMs, reconnectionMs, redundancyMs } = failover ?? {};
    expect(electionMs).toBeGreaterThan(290);
    expect(promotionMs).toBeGreaterThan(290);
    expect((detectionMs ?? 0) + (electionMs ?? 0) + (promotionMs ?? 0) + (reconnectionMs ?? 0)).toBeCloseTo(drilled.drill.rto.restoredMs ?? 0, 2);
    expect(redundancyMs).toBeGreaterThan(drilled.drill.rto.restoredMs ?? 0);
    const last = drilled.evidence('health-checks').at(-1)?.checks.map(({ name }) => name);
    expect(last).toEqual(expect.arrayContaining(['full strength', 'former primary is back', 'timeline of the server', 'answers as a primary', 'archives']));
  });

  it.each([
    ['annotates the Cluster', () => stage.alice('PATCH', `${stage.paths.cluster}?fieldManager=kubectl-annotate`, { metadata: { annotations: { 'cnpg.io/reconcilePodSpec': 'disabled' } } }), /cluster databases\/app-db: changed metadata\.annotations\S* by kubectl-annotate$/],
    ['edits the Cluster', () => stage.alice('PATCH', `${stage.paths.cluster}?fieldManager=kubectl-edit`, { spec: { postgresql: { parameters: { work_mem: '8MB' } } } }), /cluster databases\/app-db: changed spec\.postgresql by kubectl-edit$/],
  ] as const)('fails by name when somebody %s', async (_, work, detail) => {
    const drilled = await drill(stage.drill('cnpg-failover', { watched: true, ...meanwhile('promoted', work) }));
    expect(drilled.codes).toEqual(['undocumented-change']);
    expect(drilled.why('undocumented-change')).toMatch(detail);
  });

  it('passes where the server of the primary is killed inside its pod', async () => {
    // The stand-in's pods are processes of this machine: a kubelet's part in exec is to run the command among them.
    const dataOf = async (pod: string) => (await stage.cnpg.control.instances(stage.cnpg.cluster)).find(({ name }) => name === pod)?.dataDir;
    const kubelet = await serveKubelet(stage.kubernetes, '', async (_namespace, pod) => ({ PGDATA: await dataOf(pod) }));
    try {
      const { items: nodes = [] } = await stage.kubernetes.request('GET', '/api/v1/nodes');
      for (const { metadata } of nodes) await stage.kubernetes.request('PATCH', `/api/v1/nodes/${metadata.name}/status`, { status: kubelet.status });
      const former = await primary();
      const drilled = await drill(stage.drill('cnpg-failover', { watched: 'audited', runbook: byKill }));
      expect(drilled.codes).toEqual([]);
      expect(drilled.drill.verdict).toBe('passed');
      expect(drilled.drill.failovers?.[0]).toMatchObject({ from: former, to: await primary() });
      const seen = drilled.of('watch.observed').map(({ data }) => data).filter(({ object }) => object.endsWith(`/${former}`));
      expect(seen.filter(({ change }) => change === 'exec').map(({ ours }) => ours)).toEqual([true]);
      // The pod is the one that was there.
      expect(seen.filter(({ change }) => /delete/.test(change))).toEqual([]);
    } finally {
      await kubelet.close();
    }
  });
  const byKill = (runbook: Runbook) => {
    edit(runbook, 'lose-primary', { by: 'kill' });
    delete stepOf(runbook, 'lose-primary').with?.['graceSeconds'];
  };

  it('fails by name when another replica does not come back', async () => {
    const former = await primary();
    const lose = async () => {
      const instances = await stage.cnpg.control.instances(stage.cnpg.cluster);
      const third = instances.find(({ role, name }) => role === 'replica' && name !== former);
      await stage.cnpg.control.loseReplica(stage.cnpg.cluster, third?.name ?? '');
    };
    const { runbook, environment, beside } = meanwhile('promoted', lose);
    const drilled = await drill(
      stage.drill('cnpg-failover', {
        runbook: (given) => {
          runbook(given);
          shorter('full-strength', '5s')(given);
        },
        environment,
        beside,
      }),
    );
    expect(drilled.codes).toEqual(['step-failed']);
    expect(drilled.why('step-failed')).toContain('full strength: 2 of 3 instances are ready');
    expect(drilled.why('step-failed')).not.toContain('former primary is back');
    expect(drilled.drill.rto.status).toBe('met');
  });

  it('fails by name when no other instance is elected', async () => {
    await stage.cnpg.control.set({ neverElects: true });
    const drilled = await drill(stage.drill('cnpg-failover', { runbook: shorter('promoted', '3s') }));
    expect(drilled.codes).toEqual(['step-failed', 'rto-not-measured', 'rpo-not-measured']);
    expect(drilled.why('step-failed')).toMatch(/no other instance than app-db-\d became the primary within 3s: Failing over.*target none/);
    expect(drilled.drill.failovers?.[0]).toMatchObject({ to: null, electionMs: null, promotionMs: null });
    expect(drilled.drill.failovers?.[0]?.detectionMs).toBeGreaterThan(0);
  });

  it('fails by name when the former primary does not come back', async () => {
    const former = await primary();
    await stage.cnpg.control.set({ staysAway: [former] });
    const drilled = await drill(stage.drill('cnpg-failover', { runbook: shorter('full-strength', '5s') }));
    expect(drilled.codes).toEqual(['step-failed']);
    expect(drilled.why('step-failed')).toContain('full strength: 2 of 3 instances are ready');
    expect(drilled.why('step-failed')).toContain(`former primary is back: ${former} is not ready`);
    expect(drilled.drill.rto.status).toBe('met');
    expect(drilled.drill.failovers?.[0]?.redundancyMs).toBeNull();
  });

  it('fails by name when the new primary cannot archive', async () => {
    const beside = async (live: LiveDrill) => {
      await live.until(({ type }) => type === 'fault.sent');
      await stage.cnpg.control.set({ archivingFails: true });
    };
    const drilled = await drill(stage.drill('cnpg-failover', { runbook: shorter('full-strength', '8s'), beside }));
    expect(drilled.codes).toEqual(['step-failed']);
    expect(drilled.why('step-failed')).toMatch(/ContinuousArchiving: unexpected failure while archiving/);
  });

  it('counts exactly the acknowledged rows that replicas never received', async () => {
    const lost = 4;
    let gate = '';
    const runbook = (given: Runbook) => {
      // So slow that the receivers are stopped between two rows for certain.
      Object.assign(given.probes?.['ledger']?.with ?? {}, { every: '2s' });
      before(given, 'lose-primary', { id: 'gate', phase: 'inject', uses: 'exec', with: { argv: ['sh', '-c', 'until [ -e gate ]; do sleep 0.05; done'], effect: 'read' }, timeout: '2m' });
      stepOf(given, 'serving').timeout = '1m';
    };
    const options = stage.drill('cnpg-failover', {
      runbook,
      environment: (environment) => (environment.boundary.commands = ['sh']),
      beside: async (live) => {
        const acknowledged = (n: number) => live.until((event) => event.type === 'ledger.row' && event.data.n === n && event.data.acked !== null) as Promise<EventOf<'ledger.row'>>;
        await acknowledged(1);
        await stage.cnpg.control.freezeReceivers(stage.cnpg.cluster);
        await acknowledged(1 + lost);
        await writeFile(gate, '');
      },
    });
    const documents = options.documents;
    const drilled = await drill({
      ...options,
      documents: async (folder) => {
        gate = join(folder, 'gate');
        return (await documents?.(folder)) ?? ['', ''];
      },
    });
    await stage.cnpg.control.thawReceivers(stage.cnpg.cluster);
    expect(drilled.codes).toEqual(['rpo-missed']);
    expect(drilled.drill.rpo).toMatchObject({ status: 'missed', lost, stores: [{ acknowledgedBeforeFault: 1 + lost, lastRecovered: 1, firstLost: 2 }] });
    // The fault was sent between the last row that was to be lost and the next one.
    expect(drilled.of('ledger.row').filter(({ data }) => data.n <= 1 + lost && data.acked !== null)).toHaveLength(1 + lost);
  });
});
