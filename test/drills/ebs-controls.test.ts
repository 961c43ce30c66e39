import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { ec2Error } from '../components/aws-proxy.js';
import { requestsTo, requireOwnKubernetes } from '../components/kubernetes/index.js';
import { enforcePolicy } from '../components/kubernetes/webhook.js';
import { motoComponent } from '../components/moto.js';
import { soon, workloadPath } from '../steps/pv/rig.js';
import { startSwapStage, type SwapDrill, type SwapPlace, type SwapStage } from './ebs-rig.js';
import { edit, stepOf, type Judged } from './harness.js';
import { meanwhile } from './meanwhile.js';

vi.setConfig({ testTimeout: 480_000, hookTimeout: 240_000 });
const suite = await requireOwnKubernetes('a stand-in attaches the volumes', motoComponent);

/** The reason that each failure must end in, and that the original volume is back whatever it was. */
suite('a drill that swaps an EBS volume fails by name', () => {
  let stage: SwapStage;
  let at: SwapPlace;
  beforeAll(async () => {
    stage = await startSwapStage('controls');
  });
  beforeEach(async () => {
    at = await stage.place();
  });
  afterAll(() => stage?.stop());

  const drill = async (given: SwapDrill): Promise<Judged> => {
    const judged = await at.drill(given);
    expect(judged.code, judged.stderr).toBe(1);
    return judged;
  };
  const errorOf = (judged: Judged, step: string) => judged.of('step.finished').find(({ step: at_ }) => at_ === step)?.data.error;

  it('where the only snapshot is of another account', async () => {
    stage.aws.proxy.meddle(async ({ action }, answer) => {
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
    stage.aws.proxy.meddle(({ action, form }) => (action === 'CreateVolume' && form.get('DryRun') !== 'true' ? ec2Error('RequestLimitExceeded', 'Request limit exceeded.', 503) : undefined));
    const judged = await drill({ runbook: (runbook) => (stepOf(runbook, 'volume').retry = { attempts: 3, delay: '100ms' }) });
    expect(errorOf(judged, 'volume')?.message).toMatch(/ec2:CreateVolume is throttled/);
    expect(judged.of('step.attempt-failed').filter(({ step }) => step === 'volume').length).toBeGreaterThanOrEqual(2);
  });

  it('where the volume is never detached', async () => {
    stage.attacher.detaching = 'never';
    const judged = await drill({
      runbook: (runbook) => edit(runbook, 'swap', { detachTimeout: '15s' }),
      async beside(live) {
        await live.until(({ type, step }) => type === 'step.finished' && step === 'swap');
        stage.attacher.detaching = 'works';
      },
    });
    expect(errorOf(judged, 'swap')).toMatchObject({ code: 'still-attached', message: expect.stringMatching(/VolumeAttachment csi-[0-9a-f]+ of/) });
  });

  it('where a policy of the cluster wants the reclaim policy Delete: nothing is deleted', async () => {
    const policy = await enforcePolicy(stage.cluster, `delete-${at.namespace}`, ['persistentvolumes'], [{ op: 'replace', path: '/spec/persistentVolumeReclaimPolicy', value: 'Delete' }]);
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
    const controller = await requestsTo(stage.cluster.kubeconfigOf(user), `${agent}/v1.0 (stand-in)`);
    stage.attacher.detaching = 'never';
    const judged = await drill({
      async beside(live) {
        await live.until(({ type, step }) => type === 'step.started' && step === 'swap');
        await expect.poll(async () => (await controller('GET', workloadPath(at, 'StatefulSet'))).spec?.['replicas'], soon).toBe(0);
        await controller('PATCH', workloadPath(at, 'StatefulSet'), { spec: { replicas: 1 } });
        await live.until(({ type, step }) => type === 'step.finished' && step === 'swap');
        stage.attacher.detaching = 'works';
      },
    });
    expect(errorOf(judged, 'swap')).toMatchObject({ code: 'scaled-back-up', message: expect.stringContaining(agent) });
  });

  it.each([
    ['annotates the claim', () => `/api/v1/namespaces/${at.namespace}/persistentvolumeclaims/${at.claim}?fieldManager=kubectl-annotate`, { metadata: { annotations: { 'shop.example/checked': 'yes' } } }, /^\S+ \S+ persistentvolumeclaim \S+: changed metadata\.annotations\.shop\.example\/checked by kubectl-annotate$/],
    ['labels the original volume', () => `/api/v1/persistentvolumes/${at.volumeName}?fieldManager=kubectl-label`, { metadata: { labels: { 'shop.example/tier': 'gold' } } }, /^\S+ \S+ persistentvolume \S+: changed metadata\.labels\.shop\.example\/tier by kubectl-label$/],
  ])('where somebody %s', async (_, path, body, detail) => {
    const alice = await requestsTo(stage.cluster.kubeconfigOf('alice'));
    const judged = await drill({ watched: true, ...meanwhile('available', () => alice('PATCH', path(), body)) });
    expect(judged.codes).toEqual(['undocumented-change']);
    expect(judged.why('undocumented-change')).toMatch(detail);
  });
});
