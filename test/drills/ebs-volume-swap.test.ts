import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DescribeVolumesCommand } from '@aws-sdk/client-ec2';
import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import type { Drill } from '../../src/engine/drill.js';
import { requireOwnKubernetes } from '../components/kubernetes/index.js';
import { motoComponent } from '../components/moto.js';
import { account, volumeIds, zone } from '../clients/ec2/lib.js';
import { behind, handleOf, ready, workloadPath } from '../steps/pv/rig.js';
import { startSwapStage, type SwapPlace, type SwapStage } from './ebs-rig.js';
import { muster, runsIn, stepOf, type Drilled } from './harness.js';

vi.setConfig({ testTimeout: 480_000, hookTimeout: 240_000 });
const suite = await requireOwnKubernetes('a stand-in attaches the volumes', motoComponent);

/**
 * On the real API server and on moto, with a stand-in for the EBS CSI driver, and one for the application that reads its volume
 * (components/volume-service.ts): that a file system is mounted and holds the snapshot's blocks is shown on real clusters only.
 */
suite('a drill that swaps the EBS volume of a workload', () => {
  let stage: SwapStage;
  let at: SwapPlace;
  beforeAll(async () => {
    stage = await startSwapStage('swap');
  });
  beforeEach(async () => {
    at = await stage.place();
  });
  afterAll(() => stage?.stop());

  const cleanUp = ({ folder }: Drilled, run: string) => muster(folder, ['cleanup', run], { env: stage.aws.env });

  it('passes, says how old the data is by the StartTime of its snapshot, and leaves everything as it was', async () => {
    const judged = await at.drill({ watched: 'audited' });
    expect(judged.drill.reasons).toEqual([]);
    expect(judged.code).toBe(0);
    const { rto, rpo, notProved } = judged.drill satisfies Drill;
    expect(rto).toMatchObject({ status: 'met', title: 'recovery time, isolated copy; production cutover not exercised' });
    expect(rto.outageMs).toBeGreaterThan(0);
    const [snapshot] = judged.evidence('volume-snapshot');
    const [swap] = judged.evidence('volume-swap');
    expect(snapshot).toMatchObject({ snapshot: at.snapshot, owner: account, origin: 'schedule' });
    expect(swap).toMatchObject({ workload: `StatefulSet ${at.namespace}/db`, from: at.original, snapshot: at.snapshot, zone });
    expect(rpo).toMatchObject({ status: 'met', basis: 'derived', stores: [{ store: `${at.namespace}/${at.claim}`, lastRecoveredAckAt: snapshot?.startedAt }] });
    expect(judged.evidence('health-checks').flatMap(({ checks }) => checks)).toMatchObject([{ name: 'The canary is read back', ok: true }]);
    expect(notProved).toContain('Loss counted in rows: no ledger was kept.');
    expect(notProved.some((line) => line.includes('has no CloudTrail'))).toBe(true);
    expect(judged.of('watch.observed').filter(({ data }) => data.watcher === 'ec2' && !data.ours)).toEqual([]);
  });

  it('misses the objective with a snapshot that is older', async () => {
    const day = new Date(Date.now() - 25 * 3_600_000).toISOString().slice(0, 19);
    stage.aws.proxy.meddle(async ({ action }, answer) => {
      if (action !== 'DescribeSnapshots') return undefined;
      const { status, body } = await answer();
      return { status, body: body.replaceAll(/<startTime>[^<]*<\/startTime>/g, `<startTime>${day}.000Z</startTime>`) };
    });
    const judged = await at.drill({ watched: true });
    expect(judged.codes).toEqual(['rpo-missed']);
    expect(judged.code).toBe(1);
  });

  it('fails where the service reads something else from the restored volume, and gives the original back', async () => {
    at.service.holds.set(at.snapshot, 'nothing');
    const judged = await at.drill({ watched: true, runbook: (runbook) => (stepOf(runbook, 'canary').retry = { attempts: 2, delay: '1s' }) });
    expect(judged.codes).toContain('step-failed');
    expect(judged.drill.steps.find(({ id }) => id === 'canary')?.status).toBe('failed');
  });

  it('leaves the restored volume in place where that was asked for, until it is cleaned up', async () => {
    const kept = await at.run({ watched: true, args: ['--keep'] });
    expect(kept.code, kept.stderr).toBe(0);
    expect(handleOf(await behind(stage.cluster, at))).not.toBe(at.original);
    expect(await ready(stage.cluster, at, 'StatefulSet')).toBe(1);
    const cleaned = await cleanUp(kept, kept.runId ?? '');
    expect(cleaned.code, cleaned.stderr).toBe(0);
    await at.expectAsBefore(kept.state);
  });

  it('ends when the new volume goes to the state error, names that, and gives nothing away', async () => {
    stage.aws.proxy.meddle(async ({ action }, answer) => {
      if (action !== 'DescribeVolumes') return undefined;
      const { status, body } = await answer();
      return { status, body: body.includes('muster-token') ? body.replaceAll('<status>available</status>', '<status>error</status>') : body };
    });
    const judged = await at.drill({ watched: true });
    expect(judged.why('step-failed')).toContain('is in the state error');
    expect(judged.drill.steps.find(({ id }) => id === 'swap')?.status).toBe('skipped');
  });

  it('gives the original back after the process was killed in the middle of the swap', async () => {
    const killed = await at.run({
      watched: true,
      async beside(live) {
        await live.until((event) => event.type === 'step.started' && event.step === 'swap');
        await expect.poll(async () => (await stage.cluster.request('GET', workloadPath(at, 'StatefulSet'))).spec?.['replicas'], { timeout: 120_000, interval: 50 }).toBe(0);
        live.child.kill('SIGKILL');
      },
    });
    const [run = ''] = runsIn(killed.state);
    const cleaned = await cleanUp(killed, run);
    expect([0, 1], cleaned.stderr).toContain(cleaned.code);
    await at.expectAsBefore(killed.state);
  });

  it('names what is left where a volume cannot be deleted', async () => {
    stage.aws.proxy.meddle(({ action, form }) => (action === 'DeleteVolume' && form.get('DryRun') !== 'true' ? { status: 403, body: '<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>You are not authorized to perform this operation.</Message></Error></Errors></Response>' } : undefined));
    const before = await volumeIds(stage.ec2);
    const { code, stderr, stdout, bundle } = await at.run({ watched: true });
    const left = (await volumeIds(stage.ec2)).filter((id) => !before.includes(id));
    expect(left).toHaveLength(1);
    expect({ code, named: (stderr + stdout).includes(`volume ${left[0]}`) }, stderr).toEqual({ code: 5, named: true });
    const drill = JSON.parse(await readFile(join(bundle ?? '', 'data/drill.json'), 'utf8')) as Drill;
    expect(drill.reasons.filter(({ code: reason }) => reason === 'residue').map(({ detail }) => detail)).toContain(`aws:aws: volume ${left[0]}`);
    expect((await stage.ec2.send(new DescribeVolumesCommand({ VolumeIds: left }))).Volumes?.[0]?.State).toBe('available');
  });
});
