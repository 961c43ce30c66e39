import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { AuditWebhook } from '../../../src/clients/audit/webhook.js';
import { kubernetesPort, kubernetesShared } from '../../../src/clients/kubernetes/adapter.js';
import { changedKubeconfig, worldOf } from '../../components/kubernetes/connection.js';
import { auditWebhookConfig, type AuditWebhookConfig } from '../../components/kubernetes/audit-webhook.js';
import { requireOwnKubernetes, startKubernetes, type Cluster } from '../../components/kubernetes/index.js';
import { freePorts, until } from '../../components/kubernetes/programs.js';
import { startRelay } from '../../components/relay.js';
import { scopeFor } from '../lib/scope.js';
import { hearing } from './lib.js';

const suite = await requireOwnKubernetes('how the API server audits is set');

suite('an API server that waits for its audit webhook (--audit-webhook-mode=blocking)', () => {
  let cluster: Cluster;
  let webhook: AuditWebhookConfig;
  let source: AuditWebhook;
  const heard = hearing();
  beforeAll(async () => {
    const [port = 0] = await freePorts(1);
    webhook = auditWebhookConfig(port, 'blocking');
    source = new AuditWebhook({ port, tls: { cert: webhook.cert, key: webhook.key }, tokenFrom: 'TOKEN' }, { env: { TOKEN: webhook.token }, secrets: { add: () => undefined } });
    await source.begin(heard);
    cluster = await startKubernetes({ apiServer: webhook.flags });
  });
  afterAll(async () => {
    await cluster?.stop();
    await source?.end();
    webhook?.remove();
  });

  test('a mark comes under the auditID that was asked for, with who left it and when to the microsecond', async () => {
    const id = randomUUID();
    await kubernetesPort(scopeFor(), worldOf(cluster, { namespace: 'default' }), kubernetesShared()).cluster('k8s').leaveMark(id);
    await until('the mark', () => Promise.resolve(heard.events.some(({ auditID }) => auditID === id)), []);
    expect(heard.events.find(({ auditID }) => auditID === id)).toMatchObject({ verb: 'create', stage: 'ResponseComplete', userAgent: 'muster/run-1', user: { username: 'admin' }, objectRef: { resource: 'selfsubjectaccessreviews' }, requestReceivedTimestamp: expect.stringMatching(/\.\d{6}Z$/) });
    // Others' events, too, and all of them of the form that is asked for.
    await until('a controller', () => Promise.resolve(heard.events.some(({ user }) => user?.username?.startsWith('system:') === true)), []);
    expect(heard.losses).toEqual([]);
  });

  test('each mark goes by a connection of its own: a load balancer may lead it to another API server, which has a log of its own', async () => {
    const [near = 0] = await freePorts(1);
    const { port } = new URL(cluster.server);
    const relay = await startRelay(near, Number(port));
    try {
      const server = `https://127.0.0.1:${near}`;
      const kubeconfig = changedKubeconfig(cluster, 'relayed', (text) => text.replace(cluster.server, server));
      const k8s = kubernetesPort(scopeFor(), worldOf(cluster, { namespace: 'default', kubeconfig, details: { server } }), kubernetesShared()).cluster('k8s');
      await k8s.version();
      const before = relay.connections();
      for (const _ of [1, 2, 3]) await k8s.leaveMark(randomUUID());
      expect(relay.connections() - before).toBe(3);
      await k8s.version();
      expect(relay.connections() - before).toBe(3);
    } finally {
      await relay.stop();
    }
  });
});
