import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { step as backup } from '../../../src/steps/cnpg/backup.js';
import { step as failover } from '../../../src/steps/cnpg/failover.js';
import { step as fence } from '../../../src/steps/cnpg/fence.js';
import { step as liftFence } from '../../../src/steps/cnpg/lift-fence.js';
import { step as status } from '../../../src/steps/cnpg/status.js';
import { step as switchover } from '../../../src/steps/cnpg/switchover.js';
import { startCnpg, type Cnpg } from '../../components/cnpg/index.js';
import { requireOwnKubernetes, startKubernetes, type Cluster } from '../../components/kubernetes/index.js';
import { stepRig } from '../k8s/rig.js';

const describe = await requireOwnKubernetes('a stand-in is the operator of CloudNativePG');

describe('steps on a cluster of three', () => {
  let kubernetes: Cluster;
  let cnpg: Cnpg;

  beforeAll(async () => {
    kubernetes = await startKubernetes({ nodes: [] });
    cnpg = await startCnpg({ kubeconfigOf: (user) => kubernetes.kubeconfigOf(user) });
  });

  afterEach(async () => void (await cnpg.healthy(undefined, 60_000)), 90_000);

  afterAll(async () => {
    await cnpg?.stop();
    await kubernetes?.stop();
  });

  const rig = () => stepRig(kubernetes, { namespace: cnpg.namespace });
  const cluster = () => ({ cluster: cnpg.cluster });
  const object = () => kubernetes.request('GET', `/apis/postgresql.cnpg.io/v1/namespaces/${cnpg.namespace}/clusters/${cnpg.cluster}`);
  const primary = async (): Promise<string> => (await cnpg.healthy()).status?.currentPrimary ?? '';
  const replica = async (): Promise<string> => ['app-db-1', 'app-db-2', 'app-db-3'].find((name) => name !== former) ?? '';
  let former = '';

  it('do not fence the primary, and say why', async () => {
    const at = rig();
    const instance = await primary();
    for (const wanted of [instance, '*']) await expect(at.run(fence, { ...cluster(), instance: wanted })).rejects.toMatchObject({ code: 'fence-is-no-failover' });
    await expect(at.run(fence, { ...cluster(), instance })).rejects.toThrow(/stops the server and keeps it the primary, so nothing fails over/);
    expect(await at.preflight(fence, { ...cluster(), instance })).toMatchObject([{ result: 'failed' }]);
    expect(() => fence.plan({ kubernetes: 'k8s', ...cluster(), instance: '*' }, {} as never)).toThrow(/stops the primary too/);
    expect((await object()).metadata.annotations?.['cnpg.io/fencedInstances']).toBeUndefined();
    expect(at.cleanups).toEqual([]);
  });

  it('fence a replica, and lift that in the end whatever happens', async () => {
    former = await primary();
    const at = rig();
    const instance = await replica();
    expect(await at.run(fence, { ...cluster(), instance })).toEqual({ instance, already: false });
    expect((await object()).metadata.annotations).toEqual({ 'cnpg.io/fencedInstances': JSON.stringify([instance]) });
    expect(await at.run(fence, { ...cluster(), instance })).toEqual({ instance, already: true });
    await expect(at.run(status, cluster())).rejects.toThrow(`not fenced: fenced: ${instance}`);
    await expect(at.run(failover, cluster())).rejects.toMatchObject({ code: 'cannot-fail-over' });
    expect(at.cleanups).toHaveLength(1);
    await at.cleanUp(fence);
    expect((await object()).metadata.annotations?.['cnpg.io/fencedInstances']).toBeUndefined();
    expect(await at.run(liftFence, { ...cluster(), instance })).toEqual({ lifted: false });
    await expect(at.run(status, { ...cluster(), archiving: true, within: '1m' })).resolves.toMatchObject({ ready: 3 });
  });

  it('do not take a fence away that somebody else has set', async () => {
    former = await primary();
    const instance = await replica();
    await rig().run(fence, { ...cluster(), instance });
    const at = rig();
    await at.run(fence, { ...cluster(), instance });
    await at.cleanUp(fence);
    expect((await object()).metadata.annotations).toEqual({ 'cnpg.io/fencedInstances': JSON.stringify([instance]) });
    expect(await at.run(liftFence, { ...cluster(), instance })).toEqual({ lifted: true });
  });

  it('switch over in good order, to the instance that was asked for', async () => {
    former = await primary();
    const to = await replica();
    const before = (await cnpg.healthy()).status?.timelineID ?? 0;
    expect(await rig().run(switchover, { ...cluster(), to, within: '1m' })).toMatchObject({ from: former, to });
    expect(await rig().run(status, { ...cluster(), formerPrimary: former, timelineBefore: before, within: '1m' })).toMatchObject({ primary: to });
    await expect(rig().run(switchover, { ...cluster(), to })).rejects.toMatchObject({ code: 'cannot-switch-over' });
  });

  it('take a backup, record what it is, and delete the object alone', async () => {
    const at = rig();
    const made = await at.run(backup, cluster());
    expect(at.told).toContainEqual(['evidence backup', expect.objectContaining({ name: made['backup'], origin: 'drill', provider: 'cloudnative-pg plugin barman-cloud' })]);
    const backups = async () => (await kubernetes.request('GET', `/apis/postgresql.cnpg.io/v1/namespaces/${cnpg.namespace}/backups`)).items?.map(({ metadata }) => metadata.name);
    expect(await backups()).toContain(made['object']);
    await at.cleanUp(backup);
    expect(await backups()).not.toContain(made['object']);
    // Its name is the run's own: another object that bears it is left alone.
    const { object: again } = await at.run(backup, cluster());
    const [registered] = at.cleanups;
    if (registered !== undefined) registered.identity = { uid: 'another' };
    await at.cleanUp(backup);
    expect(await backups()).toContain(again);
  });

  it('name what is not there', async () => {
    await expect(rig().run(status, { cluster: 'other' })).rejects.toMatchObject({ code: 'no-such-cluster' });
    await expect(rig().run(status, { ...cluster(), until: 'promoted' })).rejects.toThrow(/needs `formerPrimary`/);
    await expect(rig().run(status, { ...cluster(), until: 'noticed', formerPrimary: await primary(), within: '300ms' })).rejects.toMatchObject({ code: 'failure-not-noticed' });
  });
});
