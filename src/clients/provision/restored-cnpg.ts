import { Type } from 'typebox';
import { defineProvisioner } from '../../engine/define-step.js';
import type { KubernetesRight } from '../../engine/permission.js';
import { StepError } from '../../engine/errors.js';
import { runLabel, runMark } from '../../engine/mark.js';
import { ConnectionName, literals, strict } from '../../engine/schema.js';
import type { PlannedServer, PostgresDetails } from '../postgres/details.js';
import { checkServer } from './lib/check-server.js';
import { clusterKind, keepPassword, loginOf } from './lib/managed.js';

export const provisioner = defineProvisioner({
  type: 'restored-cnpg',
  kinds: ['postgres'],
  summary: 'A place for a new CloudNativePG Cluster that a backup is restored into (cnpg.restore): a namespace and a name that is free there.',
  input: Type.Object(
    {
      kubernetes: ConnectionName('kubernetes', 'Where it is made'),
      namespace: Type.Optional(Type.String({ minLength: 1, description: "Default: the Kubernetes connection's own" })),
      cluster: Type.String({ pattern: '^[a-z0-9]([a-z0-9-]*[a-z0-9])?$', maxLength: 50, description: 'Name of the new Cluster; there must be none of that name' }),
      service: Type.Optional(literals(['rw', 'ro', 'r'], { default: 'rw' })),
      host: Type.Optional(Type.String({ minLength: 1, description: "Default: its Service's load balancer, else its ClusterIP, which is reached only inside the cluster" })),
      port: Type.Optional(Type.Integer({ minimum: 1, maximum: 65535, description: "Default: the Service's" })),
      database: Type.Optional(Type.String({ minLength: 1, default: 'app' })),
      user: Type.Optional(Type.String({ minLength: 1, default: 'postgres', description: 'postgres, whose Secret the operator makes for the copy, or the owner of the database (Secret <cluster>-app)' })),
      tls: Type.Optional(literals(['disable', 'require'], { default: 'require' })),
    },
    strict,
  ),
  protects: (asked) => [`cnpg:${asked.kubernetes}/${asked.namespace ?? ''}/${asked.cluster}`],
  permissions({ kubernetes, namespace, cluster, service = 'rw', user = 'postgres' }) {
    const place = { system: 'kubernetes', connection: kubernetes, ...(namespace === undefined ? {} : { namespace }) } as const;
    return [
      { ...place, verbs: ['create', 'list', 'watch'], apiGroup: 'postgresql.cnpg.io', resource: 'clusters' },
      { ...place, verbs: ['get', 'delete'], apiGroup: 'postgresql.cnpg.io', resource: 'clusters', names: [cluster] },
      { ...place, verbs: ['get'], apiGroup: '', resource: 'services', names: [`${cluster}-${service}`] },
      { ...place, verbs: ['get'], apiGroup: '', resource: 'secrets', names: [`${cluster}-${user === 'postgres' ? 'superuser' : 'app'}`] },
      { ...place, verbs: ['list'], apiGroup: '', resource: 'pods' },
      { ...place, verbs: ['list'], apiGroup: '', resource: 'persistentvolumeclaims' },
    ] satisfies KubernetesRight[];
  },
  plan(asked) {
    return { does: `Keeps the name ${asked.cluster} of ${asked.kubernetes} for a copy`, calls: [`get cluster ${asked.cluster} (there must be none)`] };
  },
  async preflight(asked, ctx) {
    if (ctx.there) return checkServer(ctx);
    const cluster = ctx.ports.kubernetes.cluster(asked.kubernetes);
    const found = await cluster.find({ ...clusterKind, name: asked.cluster, ...(asked.namespace === undefined ? {} : { namespace: asked.namespace }) });
    return [
      found === undefined ? { id: 'name', result: 'passed', detail: `there is no Cluster ${asked.cluster} yet` } : { id: 'name', result: 'failed', detail: `there is a Cluster ${asked.cluster} already, which no drill touches` },
      ...(ctx.filledBy === null ? [] : [{ id: 'reachable', result: 'deferred' as const, detail: `step ${ctx.filledBy} makes this server` }]),
    ];
  },
  /** First the name alone; once a step of this run has made the Cluster, also where it listens and who may log in. */
  async provision(asked, ctx) {
    const kubernetes = ctx.ports.kubernetes.cluster(asked.kubernetes);
    const namespace = asked.namespace ?? kubernetes.namespace;
    const [user, database] = [asked.user ?? 'postgres', asked.database ?? 'app'];
    const common = { user, database, tls: asked.tls ?? 'require', managed: { by: 'cnpg', kubernetes: asked.kubernetes, namespace, cluster: asked.cluster } } as const;
    const found = await kubernetes.find({ ...clusterKind, name: asked.cluster, namespace });
    if (found === undefined) return common satisfies PlannedServer;
    if (found.metadata.labels?.[runLabel] !== runMark(ctx.runId)) throw new StepError('name-taken', `there is a Cluster ${namespace}/${asked.cluster} already, which no drill touches`, { hint: 'Give the connection another name for its copy, or clean up after the run that made it: muster cleanup <run>' });
    const login = await loginOf(kubernetes, namespace, { ...asked, user, database, service: asked.service ?? 'rw' });
    return { ...common, host: login.host, port: login.port, user: login.user, passFile: await keepPassword(ctx, login) } satisfies PostgresDetails;
  },
});
