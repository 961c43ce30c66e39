import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startEksLogs, type EksLogs } from '../components/eks-logs.js';
import { auditWebhookConfig, type AuditWebhookConfig } from '../components/kubernetes/audit-webhook.js';
import { requestsTo, requireOwnKubernetes, startKubernetes, type Cluster, type Request } from '../components/kubernetes/index.js';
import { startStandInKubelet, type StandInKubelet } from '../components/kubernetes/kubelet.js';
import { execAs } from '../components/kubernetes/person.js';
import { freePorts, until } from '../components/kubernetes/programs.js';
import { motoComponent, startMoto, type Moto } from '../components/moto.js';
import { startRelay, type Relay } from '../components/relay.js';
import { after, removeFolders, scratch, type Judged, type LiveDrill } from './harness.js';
import { startShop, type Shop, type ShopDrill } from './kubernetes-rig.js';

const account = '123456789012';
const region = 'eu-central-1';
const tag = { key: 'env', value: 'drill' };
const suite = await requireOwnKubernetes('an API server is told how to audit', motoComponent);

suite('who did it, by each source of audit events', () => {
  let cluster: Cluster;
  let shop: Shop;
  let alice: Request;
  let kubelet: StandInKubelet;
  let moto: Moto;
  let eks: EksLogs;
  let relay: Relay;
  let webhook: AuditWebhookConfig;
  let listen = 0;
  const namespace = `muster-audited-${process.pid}`;

  beforeAll(async () => {
    const [sent = 0, listened = 0] = await freePorts(2);
    listen = listened;
    relay = await startRelay(sent, listened);
    webhook = auditWebhookConfig(sent);
    [cluster, moto] = await Promise.all([startKubernetes({ apiServer: webhook.flags }), startMoto()]);
    shop = await startShop(cluster, namespace);
    alice = await requestsTo(cluster.kubeconfigOf('alice'));
    kubelet = await startStandInKubelet(cluster, '');
    await kubelet.pod(namespace, 'app');
    eks = await startEksLogs(moto, auditLog(), 'shop');
  }, 240_000);
  afterAll(async () => {
    await eks?.stop();
    await kubelet?.stop();
    await shop?.stop();
    await cluster?.stop();
    await moto?.stop();
    await relay?.stop();
    webhook?.remove();
    await removeFolders();
  });

  const auditLog = () => cluster.own?.auditLog ?? '';
  const sources = {
    file: () => ({ file: auditLog() }),
    webhook: () => ({ webhook: { port: listen, tls: { cert: webhook.cert, key: webhook.key }, tokenFrom: 'AUDIT_TOKEN' } }),
    cloudwatch: () => ({ cloudwatch: { connection: 'aws', cluster: 'shop' } }),
    none: () => undefined,
  };
  type Source = keyof typeof sources;

  /** A pod fails, and `beside` is done while the drill waits for it. */
  async function options(audit: object | undefined, beside: (live: LiveDrill) => Promise<unknown> = () => Promise.resolve()): Promise<ShopDrill> {
    const goOn = join(await scratch(), 'go-on');
    return {
      env: { ...moto.env, AUDIT_TOKEN: webhook.token },
      runbook: (runbook) => after(runbook, 'gone', { id: 'hold', phase: 'detect', uses: 'exec', with: { argv: ['/bin/sh', '-c', 'until [ -e "$0" ]; do sleep 0.1; done', goOn], effect: 'read' }, timeout: '3m' }),
      environment(environment) {
        environment.connections['aws'] = { kind: 'aws', role: 'target', provision: 'aws', with: { account, region, tag } };
        environment.boundary.aws = [{ account, regions: [region], tag }];
        environment.boundary.commands = ['/bin/sh'];
        environment.watch = { required: ['k8s'], profiles: ['kubernetes'], settle: 'cloudwatch' in (audit ?? {}) ? '6s' : '2s', with: { k8s: audit === undefined ? {} : { audit } } };
      },
      async beside(live) {
        await live.until((event) => event.type === 'step.started' && event.step === 'hold');
        try {
          await beside(live);
        } finally {
          await writeFile(goOn, '');
        }
      },
    };
  }
  const drilled = async (source: Source, beside?: (live: LiveDrill) => Promise<unknown>): Promise<Judged> => shop.drill('pod-failure', await options(sources[source](), beside));
  const aliceExecs = async () => expect(await execAs(cluster.kubeconfigOf('alice'), namespace, 'app', ['true'])).toBe('Success');

  test.each(['file', 'webhook', 'cloudwatch'] as const)('%s: nobody helped, which the source proves: passed', async (source) => {
    const judged = await drilled(source);
    expect(judged.drill.reasons).toEqual([]);
    expect(judged.drill.notProved.join('\n')).not.toContain('kubectl exec');
    const byAudit = judged.of('watch.observed').filter(({ data }) => data.ours && data.actor?.includes(`(muster/${judged.runId})`) === true);
    expect(byAudit.map(({ data }) => data.change)).toContain('delete');
    expect(byAudit[0]?.data.happened).toMatch(/\.\d{6}Z$/);
  });

  test.each(['file', 'webhook', 'cloudwatch'] as const)('%s: kubectl exec by a person: undocumented-change, by name', async (source) => {
    const judged = await drilled(source, aliceExecs);
    expect(judged.codes).toEqual(['undocumented-change']);
    expect(judged.why('undocumented-change')).toMatch(/cluster: pod \S+\/app: exec by alice$/);
  });

  test('no source: kubectl exec is not seen, and the bundle says so', async () => {
    const judged = await drilled('none', aliceExecs);
    expect(judged.drill.reasons).toEqual([]);
    expect(judged.drill.notProved.join('\n')).toMatch(/kubectl exec, attach and port-forward, and who deleted or scaled something: no audit source is named/);
  });

  test('whatever a person does, the source names who it was', async () => {
    const [apps, core] = [`/apis/apps/v1/namespaces/${namespace}/deployments/web`, `/api/v1/namespaces/${namespace}`];
    await cluster.request('POST', `${core}/configmaps`, { metadata: { name: 'prices' }, data: { bread: '1' } });
    const judged = await drilled('webhook', async () => {
      await alice('PATCH', `${apps}?fieldManager=kubectl-annotate`, { metadata: { annotations: { by: 'hand' } } });
      await alice('PATCH', `${core}/configmaps/prices?fieldManager=kubectl-edit`, { data: { bread: '2' } });
      await alice('PATCH', `${apps}?fieldManager=kubectl-patch`, { spec: { revisionHistoryLimit: 7 } });
      await alice('PATCH', `${apps}/scale?fieldManager=kubectl`, { spec: { replicas: 4 } });
      await alice('PATCH', `${apps}/scale?fieldManager=kubectl`, { spec: { replicas: 3 } });
      await alice('DELETE', `${core}/configmaps/prices`);
    });
    expect(judged.codes).toEqual(['undocumented-change']);
    const why = judged.why('undocumented-change');
    expect(why).toMatch(/deployment \S+\/web: patch as kubectl-annotate by alice/);
    expect(why).toMatch(/configmap \S+\/prices: patch as kubectl-edit by alice/);
    expect(why).toMatch(/deployment \S+\/web: patch as kubectl-patch by alice/);
    expect(why).toMatch(/deployment \S+\/web: patch scale as kubectl by alice/);
    expect(why).toMatch(/configmap \S+\/prices: delete by alice/);
    // What the API itself cannot say is explained by the source.
    expect(why).not.toMatch(/marked for deletion|: deleted/);
  });

  test('webhook: events that the API server could not deliver for a while: a gap, never passed', async () => {
    const said = async () => readFile(join(cluster.folder, 'kube-apiserver.log'), 'utf8');
    const judged = await drilled('webhook', async () => {
      const before = (await said()).length;
      await relay.cut();
      try {
        // It has given up on a mark.
        await until('the API server to lose a mark', async () => (await said()).slice(before).includes('selfsubjectaccessreviews'), [], 100_000);
      } finally {
        await relay.mend();
      }
    });
    // Where what was lost would have explained a change, that fails it besides.
    expect(judged.drill.verdict).not.toBe('passed');
    expect(judged.why('watch-gap')).toMatch(/the audit webhook at https:\S+ held \d+ of the \d+ requests that this run left in it as marks/);
  });

  test('cloudwatch: an empty early answer proves nothing: incomplete, and it says what to do', async () => {
    eks.hold();
    try {
      const judged = await drilled('cloudwatch');
      expect(judged.drill.verdict).toBe('incomplete');
      expect(judged.codes).toEqual(['watch-gap']);
      expect(judged.why('watch-gap')).toMatch(/held 0 of the \d+ requests .* what it does not hold proves nothing; it was read 6 s after the last step and is minutes late: a longer `settle` may help/);
    } finally {
      eks.release();
    }
  });

  test('a source that is of something else is found out before anything is broken', async () => {
    const folder = await scratch();
    const dead = join(folder, 'audit.log');
    await copyFile(auditLog(), dead);
    const silent = await shop.run('pod-failure', { ...(await options({ file: dead })), beside: async () => undefined });
    expect(silent.code).toBe(3);
    expect(silent.stderr).toMatch(/the watcher k8s could not begin: the audit log \S+ does not hold a request that this run made/);
    const missing = await shop.run('pod-failure', { ...(await options({ cloudwatch: { connection: 'aws', cluster: 'other' } })), beside: async () => undefined });
    expect(missing.code).toBe(3);
    expect(missing.stderr).toMatch(/watcher k8s: usable: the log group \/aws\/eks\/other\/cluster is not there/);
  });
});
