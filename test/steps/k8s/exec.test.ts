import { afterAll, beforeAll, expect, test } from 'vitest';
import { step as execute } from '../../../src/steps/k8s/exec.js';
import { step as logs } from '../../../src/steps/k8s/logs.js';
import { requireOwnKubernetes, startKubernetes, type Cluster } from '../../components/kubernetes/index.js';
import { startStandInKubelet, type StandInKubelet } from '../../components/kubernetes/kubelet.js';
import { stepRig, type StepRig } from './rig.js';

const describeKubernetes = await requireOwnKubernetes('a stand-in for a kubelet runs the commands');

describeKubernetes('commands in containers, through the API server', () => {
  let cluster: Cluster;
  let kubelet: StandInKubelet;
  let rig: StepRig;
  const namespace = `muster-exec-${process.pid}`;
  const log = 'listening on 8080\nready\n';
  const codeOf = (code: string) => expect.objectContaining({ code });

  beforeAll(async () => {
    cluster = await startKubernetes();
    await cluster.request('POST', '/api/v1/namespaces', { metadata: { name: namespace } });
    rig = stepRig(cluster, { namespace });
    kubelet = await startStandInKubelet(cluster, log);
    await kubelet.pod(namespace, 'app');
  });
  afterAll(async () => {
    await kubelet?.stop();
    await cluster?.request('DELETE', `/api/v1/namespaces/${namespace}`).catch(() => undefined);
    await cluster?.stop();
  });

  test('their output, exit code and health are told, and each argument is passed as it is', async () => {
    expect(await rig.run(execute, { selector: 'app=app', argv: ['printf', '%s|', 'a b', '$HOME', 'ü'], effect: 'read', health: 'The canary is there' })).toEqual({ pod: 'app', exitCode: 0, stdout: 'a b|$HOME|ü|', stderr: '' });
    expect(rig.told).toContainEqual(['evidence health-checks', { checks: [{ name: 'The canary is there', ok: true, detail: 'exit code 0' }] }]);
    const big = await rig.run(execute, { pod: 'app', argv: ['head', '-c', '200000', '/dev/zero'], effect: 'read' });
    expect(String(big['stdout']).length).toBe(64 * 1024);
    await expect(rig.run(execute, { pod: 'app', argv: ['sh', '-c', 'echo broken >&2; exit 3'], effect: 'read', health: 'It works' })).rejects.toEqual(expect.objectContaining({ code: 'command-failed', message: expect.stringMatching(/exit code 3: broken/) }));
    expect(rig.told.at(-1)).toEqual(['evidence health-checks', { checks: [expect.objectContaining({ name: 'It works', ok: false })] }]);
    expect(await rig.run(execute, { pod: 'app', argv: ['false'], effect: 'read', expectExit: [0, 1] })).toMatchObject({ exitCode: 1 });
  });

  test('one that the container does not have, or that does not end, is told', async () => {
    await expect(rig.run(execute, { pod: 'app', argv: ['no-such-program'], effect: 'read' })).rejects.toEqual(codeOf('k8s-exec-failed'));
    const began = performance.now();
    await expect(rig.run(execute, { pod: 'app', argv: ['sleep', '600'], effect: 'read' }, 1_000)).rejects.toThrow(/timeout/i);
    expect(performance.now() - began).toBeLessThan(100_000);
  });

  test('the log is kept, and what must stand in it is looked for', async () => {
    expect(await rig.run(logs, { pod: 'app', contains: 'ready' })).toEqual({ pod: 'app', lines: 2 });
    expect(rig.told).toContainEqual(['log', 'listening on 8080']);
    await expect(rig.run(logs, { pod: 'app', contains: 'panic' })).rejects.toEqual(codeOf('text-not-found'));
  });
});
