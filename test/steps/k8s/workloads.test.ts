import { afterAll, beforeAll, expect, test } from 'vitest';
import { step as cordon } from '../../../src/steps/k8s/cordon.js';
import { step as drain } from '../../../src/steps/k8s/drain.js';
import { step as execute } from '../../../src/steps/k8s/exec.js';
import { step as logs } from '../../../src/steps/k8s/logs.js';
import { step as patch } from '../../../src/steps/k8s/patch.js';
import { step as scale } from '../../../src/steps/k8s/scale.js';
import { step as wait } from '../../../src/steps/k8s/wait.js';
import { requireComponent } from '../../components/index.js';
import { kubernetesComponent, ownOf, requestsTo, startKubernetes, type Cluster } from '../../components/kubernetes/index.js';
import { deployment, disruptionBudget } from '../../components/kubernetes/objects.js';
import { stepRig, type StepRig } from './rig.js';

const describeKubernetes = await requireComponent(kubernetesComponent);

describeKubernetes('steps on workloads and nodes', () => {
  let cluster: Cluster;
  let rig: StepRig;
  const namespace = `muster-workloads-${process.pid}`;
  const deployments = `/apis/apps/v1/namespaces/${namespace}/deployments`;
  const pods = async (label: string) => (await cluster.request('GET', `/api/v1/namespaces/${namespace}/pods?labelSelector=${label}`)).items ?? [];
  let tries = 0;
  /** A name that no other test has used, nor this one at its first try. */
  const fresh = (name: string) => `${name}-${(tries += 1)}`;
  const codeOf = (code: string) => expect.objectContaining({ code });

  beforeAll(async () => {
    cluster = await startKubernetes();
    await cluster.request('POST', '/api/v1/namespaces', { metadata: { name: namespace } });
    await cluster.request('POST', deployments, deployment('web', { replicas: 4 }));
    rig = stepRig(cluster, { namespace, clusterScoped: ['nodes'] });
  });
  afterAll(async () => {
    await cluster?.request('DELETE', `/api/v1/namespaces/${namespace}`).catch(() => undefined);
    await cluster?.stop();
  });

  test('a condition, a value and a number of pods are waited for by watch', async () => {
    expect(await rig.run(wait, { kind: 'deploy', name: 'web', condition: 'Available', health: 'The application is available' })).toMatchObject({ objects: 1 });
    expect(rig.told).toContainEqual(['evidence health-checks', { checks: [expect.objectContaining({ name: 'The application is available', ok: true })] }]);
    expect(await rig.run(wait, { kind: 'Pod', selector: 'app=web', condition: 'Ready', count: 4 })).toMatchObject({ objects: 4 });
    const name = fresh('later');
    const later = rig.run(wait, { kind: 'cm', name, jsonPath: '{.data.phase}', value: 'done' });
    const maps = `/api/v1/namespaces/${namespace}/configmaps`;
    await cluster.request('POST', maps, { metadata: { name }, data: { phase: 'begun' } });
    await cluster.request('PATCH', `${maps}/${name}`, { data: { phase: 'done' } });
    expect(await later).toMatchObject({ objects: 1 });
    const gone = rig.run(wait, { kind: 'cm', name, deleted: true });
    await cluster.request('DELETE', `${maps}/${name}`);
    expect(await gone).toMatchObject({ objects: 0 });
    await expect(rig.run(wait, { kind: 'cm', name: 'never', jsonPath: '.data' }, 500)).rejects.toThrow(/timeout/i);
    await expect(rig.run(wait, { kind: 'cm', name: 'never' })).rejects.toEqual(codeOf('bad-input'));
  });

  test('the change is seen soon after the server has it', async () => {
    const maps = `/api/v1/namespaces/${namespace}/configmaps`;
    const name = fresh('clock');
    await cluster.request('POST', maps, { metadata: { name }, data: { n: '0' } });
    const [late, took]: [number[], number[]] = [[], []];
    for (let n = 1; n <= 15; n += 1) {
      const ended = new AbortController();
      const events = rig.k8s.watch({ kind: 'ConfigMap' }, { name }, ended.signal)[Symbol.asyncIterator]();
      expect((await events.next()).value).toMatchObject({ type: 'listed' });
      const seen = events.next().then(() => performance.now());
      const began = performance.now();
      await cluster.request('PATCH', `${maps}/${name}`, { data: { n: String(n) } });
      const done = performance.now();
      took.push(done - began);
      late.push((await seen) - done);
      ended.abort();
    }
    // From when the server has answered its writer; by watch, not by polling.
    const median = (times: number[]) => times.toSorted((a, b) => a - b)[7] ?? 0;
    expect(median(late)).toBeLessThan(Math.max(50, 3 * median(took)));
  });

  test('a workload is scaled until its pods are gone, and comes back at the end', async () => {
    expect(await rig.preflight(scale, { kind: 'deploy', name: 'web', replicas: 0 })).toMatchObject([{ result: 'passed' }]);
    expect((await cluster.request('GET', `${deployments}/web`)).spec?.['replicas']).toBe(4);
    expect(await rig.run(scale, { kind: 'deploy', name: 'web', replicas: 0 })).toMatchObject({ before: 4, replicas: 0 });
    expect(await pods('app=web')).toEqual([]);
    await rig.cleanUp(scale);
    expect((await cluster.request('GET', `${deployments}/web`)).spec?.['replicas']).toBe(4);
    await rig.run(wait, { kind: 'Pod', selector: 'app=web', condition: 'Ready', count: 4 });
  });

  test('who scales it back up meanwhile fails the step, by name', async () => {
    const autoscaler = await requestsTo(cluster.kubeconfigOf('autoscaler'));
    const name = fresh('slow');
    // Its pods end only when somebody lets them, so that the step waits.
    await cluster.request('POST', deployments, deployment(name, { replicas: 1 }));
    await rig.run(wait, { kind: 'Pod', selector: `app=${name}`, condition: 'Ready' });
    const [pod] = await pods(`app=${name}`);
    const podPath = `/api/v1/namespaces/${namespace}/pods/${pod?.metadata.name}`;
    await cluster.request('PATCH', podPath, { metadata: { finalizers: ['example.org/held'] } });
    const scaled = rig.run(scale, { kind: 'deploy', name, replicas: 0 });
    const failed = expect(scaled).rejects.toEqual(expect.objectContaining({ code: 'k8s-scaled-by-another', message: expect.stringMatching(/scaled to 3.*hpa-controller/) }));
    await expect.poll(async () => (await cluster.request('GET', podPath)).metadata.deletionTimestamp).toBeDefined();
    await autoscaler('PATCH', `${deployments}/${name}?fieldManager=hpa-controller`, { spec: { replicas: 3 } });
    await failed;
    await cluster.request('PATCH', podPath, { metadata: { finalizers: null } });
    await cluster.request('DELETE', `${deployments}/${name}`);
    await rig.cleanUp(scale);
  });

  test('a zone is evacuated within its disruption budget, and takes pods again at the end', async () => {
    const [node] = cluster.nodes;
    const selector = `topology.kubernetes.io/zone=${node?.zone}`;
    await cluster.request('PATCH', `/apis/policy/v1beta1/namespaces/${namespace}/poddisruptionbudgets/web?fieldManager=test`, disruptionBudget('web', 3), 'application/apply-patch+yaml');
    await rig.run(wait, { kind: 'pdb', name: 'web', jsonPath: '{.status.disruptionsAllowed}', value: '1' });
    expect(await rig.run(cordon, { selector })).toEqual({ nodes: [node?.name], cordoned: [node?.name] });
    const before = (await pods('app=web')).filter(({ spec }) => spec?.['nodeName'] === node?.name).length;
    const ended = new AbortController();
    const available: number[] = [];
    const watched = (async () => {
      for await (const event of rig.k8s.watch({ kind: 'Deployment' }, { name: 'web' }, ended.signal)) {
        const seen = event.type === 'listed' ? event.items : event.type === 'modified' ? [event.object] : [];
        available.push(...seen.map((object) => Number((object['status'] as { availableReplicas?: number }).availableReplicas)));
      }
    })();
    const drained = await rig.run(drain, { selector, podSelector: 'app=web' });
    ended.abort();
    await watched;
    expect(Math.min(...available)).toBeGreaterThanOrEqual(3);
    expect(drained).toMatchObject({ nodes: [node?.name], stayed: [] });
    expect(drained['evicted']).toHaveLength(before);
    expect((await pods('app=web')).filter(({ spec }) => spec?.['nodeName'] === node?.name)).toEqual([]);
    expect(await rig.run(cordon, { nodes: [node?.name] })).toMatchObject({ cordoned: [] });
    await rig.cleanUp(cordon);
    expect((await cluster.request('GET', `/api/v1/nodes/${node?.name}`)).spec?.['unschedulable']).toBeUndefined();
  });

  test('steps go on over a restart of the API server', async (context) => {
    const own = ownOf(cluster, context, 'the API server is restarted');
    const maps = `/api/v1/namespaces/${namespace}/configmaps`;
    const name = fresh('over');
    await cluster.request('POST', maps, { metadata: { name }, data: { phase: 'before' } });
    const waited = rig.run(wait, { kind: 'cm', name, jsonPath: '{.data.phase}', value: 'after' });
    let patched: Promise<unknown> = Promise.resolve();
    await own.restartApiServer(() => {
      patched = rig.run(patch, { kind: 'cm', name, patch: { data: { phase: 'after' } } });
      return Promise.resolve();
    });
    await patched;
    expect(await waited).toMatchObject({ objects: 1 });
    await rig.cleanUp(patch);
    expect(await cluster.request('GET', `${maps}/${name}`)).toMatchObject({ data: { phase: 'before' } });
  }, 90_000);

  test('a node outside the boundary is not touched', async () => {
    const narrow = stepRig(cluster, { namespace, clusterScoped: ['nodes/nobody'] });
    await expect(narrow.run(cordon, { nodes: [cluster.nodes[0]?.name] })).rejects.toThrow(/must be named in the boundary/);
  });

  test('nodes that run no containers are told apart from a command that fails', async (context) => {
    ownOf(cluster, context, 'nodes that run no containers are needed');
    await rig.run(wait, { kind: 'Pod', selector: 'app=web', condition: 'Ready', count: 4 });
    await expect(rig.run(execute, { selector: 'app=web', argv: ['true'], effect: 'read' })).rejects.toEqual(codeOf('k8s-exec-failed'));
    await expect(rig.run(execute, { selector: 'app=nobody', argv: ['true'], effect: 'read' })).rejects.toEqual(codeOf('k8s-not-found'));
    await expect(rig.run(logs, { pod: 'nobody' })).rejects.toEqual(codeOf('k8s-not-found'));
  });
});
