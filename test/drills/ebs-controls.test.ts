import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { EC2Client } from '@aws-sdk/client-ec2';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { parse, stringify } from 'yaml';
import type { Environment, Runbook } from '../../src/engine/documents.js';
import { startAttacher, type Attacher } from '../components/attacher.js';
import { ec2Error, startAwsProxy, type AwsProxy } from '../components/aws-proxy.js';
import { requestsTo, requireOwnKubernetes, startKubernetes, type Cluster } from '../components/kubernetes/index.js';
import { enforcePolicy } from '../components/kubernetes/webhook.js';
import { motoComponent, startMoto, type Moto } from '../components/moto.js';
import { startVolumeService, type VolumeService } from '../components/volume-service.js';
import { other, volumeIds } from '../clients/ec2/lib.js';
import { behind, clear, handleOf, place, ready, soon, workloadPath, type Place } from '../steps/pv/rig.js';
import { swapDocuments, swapDrill } from './ebs-rig.js';
import { begin, edit, judge, removeFolders, runsIn, scratch, stepOf, type Judged, type LiveDrill } from './harness.js';
import { meanwhile } from './meanwhile.js';

vi.setConfig({ testTimeout: 480_000, hookTimeout: 240_000 });
const suite = await requireOwnKubernetes('a stand-in attaches the volumes', motoComponent);

/** The reason that each failure must end in, and that the original volume is back whatever it was. */
suite('a drill that swaps an EBS volume fails by name', () => {
  let cluster: Cluster;
  let moto: Moto;
  let proxy: AwsProxy;
  let attacher: Attacher;
  let ec2: EC2Client;
  let at: Place;
  let service: VolumeService;
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
    at = await place(cluster, ec2, `controls-${process.pid}-${(places += 1)}`, { kind: 'StatefulSet', policy: 'Delete' });
    service = await startVolumeService(cluster, ec2, at);
    service.holds.set(at.original, 'orders: 4712 (now)').set(at.snapshot, 'orders: 4711 (at the snapshot)');
    volumesBefore = await volumeIds(ec2);
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

  interface Options {
    readonly runbook?: (runbook: Runbook) => void;
    readonly environment?: (environment: Environment) => void;
    readonly beside?: (live: LiveDrill) => Promise<void>;
    readonly watched?: boolean;
  }

  /** To its bundle; the workload has its own volume again, and nothing is left. */
  const drill = async ({ runbook, environment, beside, watched = false }: Options): Promise<Judged> => {
    const folder = await scratch();
    await swapDocuments(folder, cluster, at, service, { watched });
    const change = async <T>(file: string, how: ((document: T) => void) | undefined) => {
      const document = parse(await readFile(join(folder, file), 'utf8')) as T;
      how?.(document);
      await writeFile(join(folder, file), stringify(document, { aliasDuplicateObjects: false }));
    };
    await change('runbook.yaml', runbook);
    await change('environment.yaml', environment);
    const { live, ended } = begin(folder, ['run', ...swapDrill, '--evidence-dir', join(folder, 'evidence'), '--set', `name=${at.name}`, '--set', `claim=${at.claim}`], { env: { ...moto.env, AWS_ENDPOINT_URL: proxy.endpoint } });
    const [said] = await Promise.all([ended, beside?.(live)]);
    const runId = /\d{8}T\d{6}Z-ebs-volume-swap-[0-9a-f]{6}/.exec(said.stderr + said.stdout)?.[0] ?? null;
    const evidenceDir = join(folder, 'evidence');
    const judged = await judge({ ...said, runId, folder, state: join(folder, 'state'), evidenceDir, bundle: runId === null ? null : join(evidenceDir, runId) });
    expect(judged.code, judged.stderr).toBe(1);
    await expect.poll(() => ready(cluster, at, 'StatefulSet'), soon).toBe(1);
    expect(handleOf(await behind(cluster, at))).toBe(at.original);
    expect(await volumeIds(ec2)).toEqual(volumesBefore);
    expect(runsIn(join(folder, 'state'))).toEqual([]);
    return judged;
  };
  const errorOf = (judged: Judged, step: string) => judged.of('step.finished').find(({ step: at_ }) => at_ === step)?.data.error;

  it('where the only snapshot is of another account', async () => {
    proxy.meddle(async ({ action }, answer) => {
      if (action !== 'DescribeSnapshots') return undefined;
      const { status, body } = await answer();
      return { status, body: body.replaceAll(/<ownerId>[^<]*<\/ownerId>/g, '<ownerId>999999999999</ownerId>') };
    });
    const judged = await drill({ runbook: (runbook) => delete stepOf(runbook, 'snapshot').retry });
    expect(judged.codes).toContain('step-failed');
    expect(errorOf(judged, 'snapshot')).toMatchObject({ code: 'no-snapshot' });
  });

  it('where the volume is in another zone than the nodes', async () => {
    const judged = await drill({ runbook: (runbook) => edit(runbook, 'volume', { zone: 'eu-central-1b' }) });
    expect(errorOf(judged, 'swap')).toMatchObject({ code: 'wrong-zone', message: expect.stringContaining('is in eu-central-1b') });
  });

  it('where AWS is too busy for as long as the runbook tries', async () => {
    proxy.meddle(({ action, form }) => (action === 'CreateVolume' && form.get('DryRun') !== 'true' ? ec2Error('RequestLimitExceeded', 'Request limit exceeded.', 503) : undefined));
    const judged = await drill({ runbook: (runbook) => (stepOf(runbook, 'volume').retry = { attempts: 3, delay: '100ms' }) });
    expect(errorOf(judged, 'volume')?.message).toMatch(/ec2:CreateVolume is throttled/);
    expect(judged.of('step.attempt-failed').filter(({ step }) => step === 'volume').length).toBeGreaterThanOrEqual(2);
  });

  it('where the volume is never detached', async () => {
    attacher.detaching = 'never';
    const judged = await drill({
      runbook: (runbook) => edit(runbook, 'swap', { detachTimeout: '15s' }),
      async beside(live) {
        await live.until(({ type, step }) => type === 'step.finished' && step === 'swap');
        attacher.detaching = 'works';
      },
    });
    expect(errorOf(judged, 'swap')).toMatchObject({ code: 'still-attached', message: expect.stringMatching(/VolumeAttachment csi-[0-9a-f]+ of/) });
  });

  it('where a policy of the cluster wants the reclaim policy Delete: nothing is deleted', async () => {
    const policy = await enforcePolicy(cluster, `delete-${process.pid}-${places}`, ['persistentvolumes'], [{ op: 'replace', path: '/spec/persistentVolumeReclaimPolicy', value: 'Delete' }]);
    try {
      const judged = await drill({});
      expect(errorOf(judged, 'swap')).toMatchObject({ code: 'not-retained', message: expect.stringContaining('keeps the reclaim policy Delete') });
    } finally {
      await policy.stop();
    }
  });

  it.each([
    ['a GitOps controller', 'gitops', 'argocd-application-controller'],
    ['an autoscaler', 'autoscaler', 'keda'],
  ])('where %s asks for pods meanwhile', async (_, user, agent) => {
    const controller = await requestsTo(cluster.kubeconfigOf(user), `${agent}/v1.0 (stand-in)`);
    attacher.detaching = 'never';
    const judged = await drill({
      async beside(live) {
        await live.until(({ type, step }) => type === 'step.started' && step === 'swap');
        await expect.poll(async () => (await controller('GET', workloadPath(at, 'StatefulSet'))).spec?.['replicas'], soon).toBe(0);
        await controller('PATCH', workloadPath(at, 'StatefulSet'), { spec: { replicas: 1 } });
        await live.until(({ type, step }) => type === 'step.finished' && step === 'swap');
        attacher.detaching = 'works';
      },
    });
    expect(errorOf(judged, 'swap')).toMatchObject({ code: 'scaled-back-up', message: expect.stringContaining(agent) });
  });

  it.each([
    ['annotates the claim', () => `/api/v1/namespaces/${at.namespace}/persistentvolumeclaims/${at.claim}?fieldManager=kubectl-annotate`, { metadata: { annotations: { 'shop.example/checked': 'yes' } } }, /^\S+ \S+ persistentvolumeclaim \S+: changed metadata\.annotations\.shop\.example\/checked by kubectl-annotate$/],
    ['labels the original volume', () => `/api/v1/persistentvolumes/${at.volumeName}?fieldManager=kubectl-label`, { metadata: { labels: { 'shop.example/tier': 'gold' } } }, /^\S+ \S+ persistentvolume \S+: changed metadata\.labels\.shop\.example\/tier by kubectl-label$/],
  ])('where somebody %s', async (_, path, body, detail) => {
    const alice = await requestsTo(cluster.kubeconfigOf('alice'));
    const judged = await drill({ watched: true, ...meanwhile('available', () => alice('PATCH', path(), body)) });
    expect(judged.codes).toEqual(['undocumented-change']);
    expect(judged.why('undocumented-change')).toMatch(detail);
  });
});
