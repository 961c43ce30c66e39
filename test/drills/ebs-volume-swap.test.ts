import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DescribeVolumesCommand, type EC2Client } from '@aws-sdk/client-ec2';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import type { Drill } from '../../src/engine/drill.js';
import { startAttacher, type Attacher } from '../components/attacher.js';
import { startAwsProxy, type AwsProxy } from '../components/aws-proxy.js';
import { requireOwnKubernetes, startKubernetes, type Cluster } from '../components/kubernetes/index.js';
import { markedObjects } from '../components/kubernetes/marked.js';
import { motoComponent, startMoto, type Moto } from '../components/moto.js';
import { startVolumeService, type VolumeService } from '../components/volume-service.js';
import { account, other, volumeIds, zone } from '../clients/ec2/lib.js';
import { behind, clear, cleared, handleOf, place, ready, soon, workloadPath, type Place } from '../steps/pv/rig.js';
import { swapDocuments, swapDrill } from './ebs-rig.js';
import { begin, expectNothingLeft, judge, muster, removeFolders, runsIn, scratch } from './harness.js';

vi.setConfig({ testTimeout: 480_000, hookTimeout: 240_000 });
const suite = await requireOwnKubernetes('a stand-in attaches the volumes', motoComponent);

/**
 * On the real API server and on moto, with a stand-in for the EBS CSI driver, and one for the application that reads its volume
 * (components/volume-service.ts): that a file system is mounted and holds the snapshot's blocks is shown on real clusters only.
 */
suite('a drill that swaps the EBS volume of a workload', () => {
  let cluster: Cluster;
  let moto: Moto;
  let proxy: AwsProxy;
  let attacher: Attacher;
  let ec2: EC2Client;
  let at: Place;
  let service: VolumeService;
  let folder: string;
  let volumesBefore: string[];
  let places = 0;

  beforeAll(async () => {
    [cluster, moto] = await Promise.all([startKubernetes(), startMoto()]);
    proxy = await startAwsProxy(moto.endpoint);
    attacher = await startAttacher(cluster, moto);
    ec2 = other(moto);
  });
  beforeEach(async () => {
    proxy.meddle(undefined);
    const before = at;
    [at] = await Promise.all([place(cluster, ec2, `drill-${process.pid}-${(places += 1)}`, { kind: 'StatefulSet', policy: 'Delete' }), before === undefined ? undefined : cleared(cluster, before)]);
    service = await startVolumeService(cluster, ec2, at);
    service.holds.set(at.original, 'orders: 4712 (now)').set(at.snapshot, 'orders: 4711 (at the snapshot)');
    folder = await scratch();
    volumesBefore = await volumeIds(ec2);
    await swapDocuments(folder, cluster, at, service, { watched: true });
  });
  afterEach(async () => {
    await service.stop();
    await clear(cluster, attacher, at);
  });
  afterAll(async () => {
    await removeFolders();
    await attacher?.stop();
    await proxy?.stop();
    await cluster?.stop();
    await moto?.stop();
  });

  const args = (more: readonly string[] = []) => ['run', ...swapDrill, '--evidence-dir', join(folder, 'evidence'), '--set', `name=${at.name}`, '--set', `claim=${at.claim}`, ...more];
  const env = () => ({ ...moto.env, AWS_ENDPOINT_URL: proxy.endpoint });
  const drilled = async (more: readonly string[] = []) => {
    const ended = await muster(folder, args(more), { env: env() });
    const runId = /\d{8}T\d{6}Z-ebs-volume-swap-[0-9a-f]{6}/.exec(ended.stderr + ended.stdout)?.[0] ?? null;
    const evidenceDir = join(folder, 'evidence');
    return { ...ended, runId, folder, state: join(folder, 'state'), evidenceDir, bundle: runId === null ? null : join(evidenceDir, runId) };
  };
  const asBefore = async (): Promise<void> => {
    await expect.poll(() => ready(cluster, at, 'StatefulSet'), soon).toBe(1);
    const now = await behind(cluster, at);
    expect(handleOf(now)).toBe(at.original);
    expect(now.spec?.['persistentVolumeReclaimPolicy']).toBe('Delete');
    expect(await volumeIds(ec2)).toEqual(volumesBefore);
    expect(((await cluster.request('GET', '/api/v1/persistentvolumes')).items ?? []).map(({ metadata }) => metadata.name).filter((name) => name.startsWith('muster-vol-'))).toEqual([]);
    expect(await markedObjects(cluster)).toEqual([]);
    expect(runsIn(join(folder, 'state'))).toEqual([]);
  };

  it('passes, says how old the data is by the StartTime of its snapshot, and leaves everything as it was', async () => {
    await swapDocuments(folder, cluster, at, service, { watched: 'audited' });
    const judged = await judge(await drilled());
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
    expectNothingLeft(judged);
    await asBefore();
  });

  it('misses the objective with a snapshot that is older', async () => {
    const day = new Date(Date.now() - 25 * 3_600_000).toISOString().slice(0, 19);
    proxy.meddle(async ({ action }, answer) => {
      if (action !== 'DescribeSnapshots') return undefined;
      const { status, body } = await answer();
      return { status, body: body.replaceAll(/<startTime>[^<]*<\/startTime>/g, `<startTime>${day}.000Z</startTime>`) };
    });
    const judged = await judge(await drilled());
    expect(judged.codes).toEqual(['rpo-missed']);
    expect(judged.code).toBe(1);
    await asBefore();
  });

  it('fails where the service reads something else from the restored volume, and gives the original back', async () => {
    service.holds.set(at.snapshot, 'nothing');
    const { steps } = await canaryOnce();
    expect(steps).toBe('failed');
    await asBefore();
  });

  const canaryOnce = async (): Promise<{ readonly steps: string | undefined }> => {
    const file = join(folder, 'runbook.yaml');
    await writeFile(file, (await readFile(file, 'utf8')).replace('retry: { attempts: 10, delay: 3s }', 'retry: { attempts: 2, delay: 1s }'));
    const judged = await judge(await drilled());
    expect(judged.codes).toContain('step-failed');
    return { steps: judged.drill.steps.find(({ id }) => id === 'canary')?.status };
  };

  it('leaves the restored volume in place where that was asked for, until it is cleaned up', async () => {
    const kept = await drilled(['--keep']);
    expect(kept.code, kept.stderr).toBe(0);
    expect(handleOf(await behind(cluster, at))).not.toBe(at.original);
    expect(await ready(cluster, at, 'StatefulSet')).toBe(1);
    const cleaned = await muster(folder, ['cleanup', kept.runId ?? ''], { env: env() });
    expect(cleaned.code, cleaned.stderr).toBe(0);
    await asBefore();
  });

  it('ends when the new volume goes to the state error, names that, and gives nothing away', async () => {
    proxy.meddle(async ({ action }, answer) => {
      if (action !== 'DescribeVolumes') return undefined;
      const { status, body } = await answer();
      return { status, body: body.includes('muster-token') ? body.replaceAll('<status>available</status>', '<status>error</status>') : body };
    });
    const judged = await judge(await drilled());
    expect(judged.why('step-failed')).toContain('is in the state error');
    expect(judged.drill.steps.find(({ id }) => id === 'swap')?.status).toBe('skipped');
    proxy.meddle(undefined);
    await asBefore();
  });

  it('gives the original back after the process was killed in the middle of the swap', async () => {
    await mkdir(join(folder, 'state'), { recursive: true });
    const { live, ended } = begin(folder, args(), { env: env() });
    await live.until((event) => event.type === 'step.started' && event.step === 'swap');
    await expect.poll(async () => (await cluster.request('GET', workloadPath(at, 'StatefulSet'))).spec?.['replicas'], { timeout: 120_000, interval: 50 }).toBe(0);
    live.child.kill('SIGKILL');
    await ended;
    const [run = ''] = runsIn(join(folder, 'state'));
    const cleaned = await muster(folder, ['cleanup', run], { env: env() });
    expect([0, 1], cleaned.stderr).toContain(cleaned.code);
    await asBefore();
  });

  it('names what is left where a volume cannot be deleted', async () => {
    proxy.meddle(({ action, form }) => (action === 'DeleteVolume' && form.get('DryRun') !== 'true' ? { status: 403, body: '<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>You are not authorized to perform this operation.</Message></Error></Errors></Response>' } : undefined));
    const { code, stderr, stdout, bundle } = await drilled();
    const left = (await volumeIds(ec2)).filter((id) => !volumesBefore.includes(id));
    expect(left).toHaveLength(1);
    expect({ code, named: (stderr + stdout).includes(`volume ${left[0]}`) }, stderr).toEqual({ code: 5, named: true });
    const drill = JSON.parse(await readFile(join(bundle ?? '', 'data/drill.json'), 'utf8')) as Drill;
    expect(drill.reasons.filter(({ code: reason }) => reason === 'residue').map(({ detail }) => detail)).toContain(`aws:aws: volume ${left[0]}`);
    expect((await ec2.send(new DescribeVolumesCommand({ VolumeIds: left }))).Volumes?.[0]?.State).toBe('available');
  });
});
