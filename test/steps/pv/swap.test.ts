import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { requestsTo, requireOwnKubernetes } from '../../components/kubernetes/index.js';
import { motoComponent } from '../../components/moto.js';
import { withEnv, zone } from '../../clients/ec2/lib.js';
import type { KubernetesCluster } from '../../../src/clients/kubernetes/port.js';
import { step as inspect } from '../../../src/steps/pv/inspect.js';
import { step as swap } from '../../../src/steps/pv/swap.js';
import { cleanUp, evidenceOf, run, type AwsContext } from '../ec2/rig.js';
import { toldOf } from '../lib/context.js';
import { behind, contextOn, handleOf, ready, runId, soon, startStage, workloadPath, type Place, type Stage } from './rig.js';

vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });
const suite = await requireOwnKubernetes('a stand-in attaches the volumes', motoComponent);

suite('the volume of a workload', () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await startStage('swap');
  });
  afterAll(() => stage?.stop());

  const input = ({ name, claim, replacement }: Place, more: object = {}) => ({ kubernetes: 'k8s', aws: 'aws', kind: 'Deployment', name, claim, volume: replacement, every: '200ms', ...more }) as const;
  const volumes = async (): Promise<string[]> => ((await stage.cluster.request('GET', '/api/v1/persistentvolumes')).items ?? []).map(({ metadata }) => metadata.name);
  const untouched = async (here: Place): Promise<void> => {
    expect(handleOf(await behind(stage.cluster, here))).toBe(here.original);
    expect((await stage.cluster.request('GET', workloadPath(here))).spec?.['replicas']).toBe(1);
  };
  const asBefore = async (here: Place, kind: 'Deployment' | 'StatefulSet' = 'Deployment'): Promise<void> => {
    await expect.poll(() => ready(stage.cluster, here, kind), soon).toBe(1);
    expect(handleOf(await behind(stage.cluster, here))).toBe(here.original);
    expect(await volumes()).not.toContain(`muster-${here.replacement}`);
  };

  it('is found by its claim', async () => {
    const here = await stage.place();
    await withEnv(stage.aws.env, async () => {
      expect(await run(inspect, { kubernetes: 'k8s', aws: 'aws', claim: here.claim }, await contextOn(stage.cluster, here))).toMatchObject({ volume: here.original, zone, persistentVolume: here.volumeName, sizeGiB: 1, fsType: 'ext4' });
    });
  });

  it.each([
    ['Deployment', 'Retain'],
    ['StatefulSet', 'Delete'],
  ] as const)('of a %s (reclaim policy %s) is another one, and after the drill the one before, as it was', async (kind, policy) => {
    const here = await stage.place({ kind, policy });
    await withEnv(stage.aws.env, async () => {
      const context = await contextOn(stage.cluster, here);
      const done = await run(swap, input(here, { kind }), context);
      expect(done).toMatchObject({ from: here.original, to: here.replacement, instance: stage.attacher.instance('hollow-a') });
      expect(await ready(stage.cluster, here, kind)).toBe(1);
      const now = await behind(stage.cluster, here);
      expect(now).toMatchObject({ metadata: { name: `muster-${here.replacement}`, labels: { 'muster.dev/run': runId } }, spec: { csi: { volumeHandle: here.replacement, fsType: 'ext4' }, persistentVolumeReclaimPolicy: 'Retain' } });
      expect(evidenceOf(context, 'volume-swap')).toEqual([{ connection: 'k8s', workload: `${kind} ${here.namespace}/db`, claim: `${here.namespace}/${here.claim}`, from: here.original, to: here.replacement, snapshot: here.snapshot, zone }]);
      expect(await context.ports.ec2.of('aws').volume(here.original)).toMatchObject({ state: 'available' });
      // Another process, from the journal alone.
      await cleanUp(Object.assign(await contextOn(stage.cluster, here), { told: context.told }), swap);
    });
    await asBefore(here, kind);
    expect((await behind(stage.cluster, here)).spec?.['persistentVolumeReclaimPolicy']).toBe(policy);
  });

  /** The port of a process that dies at its `turn`th call that alters something. */
  const dyingAt = (context: AwsContext, turn: number): AwsContext => {
    let calls = 0;
    const mortal = (real: KubernetesCluster): KubernetesCluster =>
      new Proxy(real, {
        get(target, name): unknown {
          const member: unknown = Reflect.get(target, name);
          if (typeof member !== 'function') return member;
          return (...args: unknown[]) => {
            const dry = args.some((arg) => typeof arg === 'object' && arg !== null && 'dryRun' in arg && arg.dryRun === true);
            if (['create', 'patch', 'delete', 'scale'].includes(String(name)) && !dry && (calls += 1) === turn) throw new Error(`died at ${String(name)}`);
            return Reflect.apply(member, target, args) as unknown;
          };
        },
      });
    const { kubernetes } = context.ports;
    return { ...context, ports: { ...context.ports, kubernetes: { cluster: (name) => mortal(kubernetes.cluster(name)) } } };
  };

  it.each([2, 4, 5])('is the one before again, also where the process died at its change number %i', async (turn) => {
    const here = await stage.place({ policy: 'Retain' });
    await withEnv(stage.aws.env, async () => {
      const context = dyingAt(await contextOn(stage.cluster, here), turn);
      await expect(run(swap, input(here), context)).rejects.toThrow('died at');
      await cleanUp(Object.assign(await contextOn(stage.cluster, here), { told: context.told }), swap);
    });
    await asBefore(here);
  });

  it('stays as it is where the other one is in another zone', async () => {
    const here = await stage.place({ replacementZone: 'eu-central-1b' });
    await withEnv(stage.aws.env, async () => {
      const context = await contextOn(stage.cluster, here);
      await expect(run(swap, input(here), context)).rejects.toMatchObject({ code: 'wrong-zone', message: expect.stringContaining('is in eu-central-1b') });
      expect(toldOf(context, 'defer')).toEqual([]);
    });
    await untouched(here);
  });

  it('is not deleted while anything is attached, and the reason names the attachment', async () => {
    const here = await stage.place();
    stage.attacher.detaching = 'never';
    await withEnv(stage.aws.env, async () => {
      const context = await contextOn(stage.cluster, here);
      await expect(run(swap, input(here, { detachTimeout: '30s' }), context)).rejects.toMatchObject({ code: 'still-attached', message: expect.stringMatching(/VolumeAttachment csi-[0-9a-f]+ of/) });
      expect(handleOf(await behind(stage.cluster, here))).toBe(here.original);
      stage.attacher.detaching = 'works';
      await cleanUp(context, swap);
    });
    await asBefore(here);
  });

  it('is not deleted where the reclaim policy Retain does not last', async () => {
    const here = await stage.place({ policy: 'Delete' });
    await withEnv(stage.aws.env, async () => {
      const context = await contextOn(stage.cluster, here);
      const { kubernetes } = context.ports;
      // As an admission webhook that enforces a policy of its own would have it: the patch is taken, and has no effect.
      const enforced = (real: KubernetesCluster): KubernetesCluster => ({ ...real, patch: (reference, patch, options) => (reference.kind === 'PersistentVolume' ? real.get(reference) : real.patch(reference, patch, options)) });
      const here2 = { ...context, ports: { ...context.ports, kubernetes: { cluster: (name: string) => enforced(kubernetes.cluster(name)) } } };
      await expect(run(swap, input(here), here2)).rejects.toMatchObject({ code: 'not-retained' });
      expect(handleOf(await behind(stage.cluster, here))).toBe(here.original);
      await cleanUp(context, swap);
    });
    await asBefore(here);
  });

  it('is not swapped against somebody who asks for pods meanwhile, and the reason names who did', async () => {
    const here = await stage.place();
    const autoscaler = await requestsTo(stage.cluster.kubeconfigOf('autoscaler'));
    stage.attacher.detaching = 'never';
    await withEnv(stage.aws.env, async () => {
      const context = await contextOn(stage.cluster, here);
      const raising = expect.poll(async () => (await stage.cluster.request('GET', workloadPath(here))).spec?.['replicas'], soon).toBe(0).then(() => autoscaler('PATCH', `${workloadPath(here)}?fieldManager=keda-operator`, { spec: { replicas: 1 } }));
      await expect(run(swap, input(here), context)).rejects.toMatchObject({ code: 'scaled-back-up', message: expect.stringContaining('keda-operator') });
      await raising;
      stage.attacher.detaching = 'works';
      await cleanUp(context, swap);
    });
    await asBefore(here);
  });

  it('is not swapped below an autoscaler or a GitOps controller that nobody said to pause', async () => {
    const here = await stage.place();
    await stage.cluster.request('POST', `/apis/autoscaling/v1/namespaces/${here.namespace}/horizontalpodautoscalers`, { metadata: { name: 'db' }, spec: { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'db' }, minReplicas: 1, maxReplicas: 3 } });
    await withEnv(stage.aws.env, async () => {
      const context = await contextOn(stage.cluster, here);
      await expect(run(swap, input(here), context)).rejects.toMatchObject({ code: 'not-paused', hint: expect.stringContaining('pause: [hpa]') });
      await stage.cluster.request('PATCH', workloadPath(here), { metadata: { annotations: { 'argocd.argoproj.io/tracking-id': 'shop:apps/Deployment:x/db' } } });
      await expect(run(swap, input(here, { pause: ['hpa'] }), context)).rejects.toMatchObject({ code: 'not-paused', message: expect.stringContaining('Argo CD application argocd/shop') });
      const [check] = (await swap.preflight?.(input(here), { ports: context.ports, runbookDir: '/', signal: context.signal, stage: 'before' }).catch((error: unknown) => [{ detail: String(error) }])) ?? [];
      expect(check?.detail).toContain('would put the workload back');
    });
    await untouched(here);
  });

  it('is swapped with its autoscaler paused, which goes on after the drill', async () => {
    const here = await stage.place();
    // KEDA's kind as the API server needs it; nothing acts on it here.
    const names = { plural: 'scaledobjects', singular: 'scaledobject', kind: 'ScaledObject', listKind: 'ScaledObjectList' };
    const version = { name: 'v1alpha1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } } };
    await stage.cluster.request('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', { metadata: { name: 'scaledobjects.keda.sh' }, spec: { group: 'keda.sh', scope: 'Namespaced', names, versions: [version] } });
    const path = `/apis/keda.sh/v1alpha1/namespaces/${here.namespace}/scaledobjects`;
    await expect.poll(() => stage.cluster.request('POST', path, { apiVersion: 'keda.sh/v1alpha1', kind: 'ScaledObject', metadata: { name: 'db' }, spec: { scaleTargetRef: { name: 'db' } } }).then(() => true, () => false), soon).toBe(true);
    const paused = async () => (await stage.cluster.request('GET', `${path}/db`)).metadata.annotations?.['autoscaling.keda.sh/paused'];
    await withEnv(stage.aws.env, async () => {
      const context = await contextOn(stage.cluster, here);
      await expect(run(swap, input(here), context)).rejects.toMatchObject({ code: 'not-paused', message: expect.stringContaining(`ScaledObject ${here.namespace}/db`) });
      await run(swap, input(here, { pause: ['keda'] }), context);
      expect(await paused()).toBe('true');
      await cleanUp(context, swap);
    });
    expect(await paused()).toBeUndefined();
    await asBefore(here);
  });

  it('of a database cluster is never swapped: it is recovered', async () => {
    const here = await stage.place();
    await stage.cluster.request('PATCH', `/api/v1/namespaces/${here.namespace}/persistentvolumeclaims/${here.claim}`, { metadata: { labels: { 'cnpg.io/cluster': 'orders' } } });
    await withEnv(stage.aws.env, async () => {
      await expect(run(swap, input(here), await contextOn(stage.cluster, here))).rejects.toMatchObject({ code: 'cnpg-owned', message: expect.stringContaining('it is recovered') });
    });
    await untouched(here);
  });
});
