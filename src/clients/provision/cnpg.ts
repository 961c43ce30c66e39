import { Type, type Static } from 'typebox';
import { defineProvisioner } from '../../engine/define-step.js';
import type { KubernetesRight } from '../../engine/permission.js';
import { StepError } from '../../engine/errors.js';
import { ConnectionName, literals, strict } from '../../engine/schema.js';
import type { PostgresDetails } from '../postgres/details.js';
import { checkServer } from './lib/check-server.js';
import { clusterKind, keepPassword, loginOf, record, serviceName } from './lib/managed.js';

const input = Type.Object(
  {
    kubernetes: ConnectionName('kubernetes', 'Where its Cluster is'),
    namespace: Type.Optional(Type.String({ minLength: 1, description: "Default: the Kubernetes connection's own" })),
    cluster: Type.String({ minLength: 1, description: 'Name of the Cluster' }),
    service: Type.Optional(Type.String({ minLength: 1, default: 'rw', description: "rw, ro or r: that Service of the Cluster; else the name of a Pooler, whose Service bears the same" })),
    host: Type.Optional(Type.String({ minLength: 1, description: "Default: the Service's load balancer, else its ClusterIP, which is reached only inside the cluster" })),
    port: Type.Optional(Type.Integer({ minimum: 1, maximum: 65535, description: "Default: the Service's" })),
    database: Type.Optional(Type.String({ minLength: 1, description: "Default: the Secret's" })),
    user: Type.Optional(Type.String({ minLength: 1, description: 'Default: that of the Secret <cluster>-app; postgres takes <cluster>-superuser' })),
    secret: Type.Optional(Type.String({ minLength: 1, description: 'Another Secret with username and password' })),
    tls: Type.Optional(literals(['disable', 'require', 'verify-full'], { default: 'require', description: 'require encrypts only; verify-full also checks the certificate and the name' })),
    caFile: Type.Optional(Type.String({ pattern: '^/', description: 'PEM file of the certificate authority (ca.crt of the Secret <cluster>-ca), for verify-full' })),
  },
  strict,
);

export const provisioner = defineProvisioner({
  type: 'cnpg',
  kinds: ['postgres'],
  summary: 'The server of a CloudNativePG Cluster behind one of its Services or a Pooler. Its password comes from the Secret that the operator keeps.',
  input,
  protects: (asked) => [`cnpg:${asked.kubernetes}/${asked.namespace ?? ''}/${asked.cluster}`],
  permissions: (asked) => rightsOf(asked),
  plan(asked) {
    const { cluster, service = 'rw' } = asked;
    return { does: `Uses the CloudNativePG cluster ${cluster} of ${asked.kubernetes} through its Service ${serviceName(cluster, service)}`, calls: [`get cluster ${cluster}`, `get service ${serviceName(cluster, service)}`, 'get the Secret with its password'] };
  },
  async preflight(asked, ctx) {
    if (ctx.there) return checkServer(ctx);
    // Without the connection that it needs this is deferred as a whole.
    const cluster = ctx.ports.kubernetes.cluster(asked.kubernetes);
    const object = await cluster.find({ ...clusterKind, name: asked.cluster, ...(asked.namespace === undefined ? {} : { namespace: asked.namespace }) });
    if (object === undefined) return [{ id: 'there', result: 'failed', detail: `there is no Cluster ${asked.cluster}` }];
    const { phase } = record(object['status']);
    return [
      { id: 'there', result: 'passed', detail: `cluster ${object.metadata.namespace ?? ''}/${asked.cluster}: ${typeof phase === 'string' ? phase : 'it has no phase'}` },
      { id: 'reachable', result: 'deferred', detail: 'its password is read when the run begins' },
    ];
  },
  async provision(asked, ctx) {
    const kubernetes = ctx.ports.kubernetes.cluster(asked.kubernetes);
    const namespace = asked.namespace ?? kubernetes.namespace;
    const object = await kubernetes.find({ ...clusterKind, name: asked.cluster, namespace });
    if (object === undefined) throw new StepError('no-such-cluster', `there is no Cluster ${namespace}/${asked.cluster}`);
    const login = await loginOf(kubernetes, namespace, { ...asked, service: asked.service ?? 'rw' });
    return {
      host: login.host,
      port: login.port,
      database: login.database,
      user: login.user,
      tls: asked.tls ?? 'require',
      ...(asked.caFile === undefined ? {} : { caFile: asked.caFile }),
      passFile: await keepPassword(ctx, login),
      managed: { by: 'cnpg', kubernetes: asked.kubernetes, namespace, cluster: asked.cluster },
    } satisfies PostgresDetails;
  },
});

function rightsOf(asked: Static<typeof input>): KubernetesRight[] {
  const { kubernetes, namespace, cluster, service = 'rw', user, secret } = asked;
  const place = { system: 'kubernetes', connection: kubernetes, verbs: ['get'], ...(namespace === undefined ? {} : { namespace }) } as const;
  return [
    { ...place, apiGroup: 'postgresql.cnpg.io', resource: 'clusters', names: [cluster] },
    { ...place, apiGroup: '', resource: 'services', names: [serviceName(cluster, service)] },
    { ...place, apiGroup: '', resource: 'secrets', names: [secret ?? `${cluster}-${user === 'postgres' ? 'superuser' : 'app'}`] },
  ];
}
