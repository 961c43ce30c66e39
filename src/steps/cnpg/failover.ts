import { Type } from 'typebox';
import { defineStep, type PreflightCheck } from '../../engine/define-step.js';
import { StepError } from '../../engine/errors.js';
import { inWords, membersOf } from '../../engine/plannable.js';
import { literals, nullable, strict } from '../../engine/schema.js';
import { changeOf, planned, rightOf } from '../k8s/lib/declare.js';
import { clusters, inShort, nameOf, readCluster, type ClusterFacts } from './lib/cluster.js';
import { knownCluster } from './lib/find.js';
import { ClusterName, Kubernetes, Namespace, referenceOf, Server } from './lib/inputs.js';

/** The postmaster's pid is the first line of its pid file; the operator's images keep the data there. */
const killPostgres = ['sh', '-c', 'kill -s KILL "$(head -n 1 "${PGDATA:-/var/lib/postgresql/data/pgdata}/postmaster.pid")"'] as const;

export const step = defineStep({
  type: 'cnpg.failover',
  summary: 'Takes the primary of a CloudNativePG Cluster away without warning: its pod is deleted with a short grace period, or its server is killed. Does not wait for what the operator makes of it: cnpg.status does.',
  input: Type.Object(
    {
      kubernetes: Kubernetes,
      cluster: ClusterName,
      namespace: Namespace,
      server: Type.Optional(Server('The connection to the primary: whoever answers there changes')),
      by: Type.Optional(literals(['delete-pod', 'kill'], { default: 'delete-pod', description: 'kill: SIGKILL to the server inside its pod, which needs pods/exec' })),
      graceSeconds: Type.Optional(Type.Integer({ minimum: 0, maximum: 30, default: 1, description: 'With delete-pod: a long one would make it an orderly shutdown' })),
    },
    strict,
  ),
  output: Type.Object(
    {
      primary: Type.String({ description: 'The instance that was taken away' }),
      uid: Type.String({ description: 'Of its pod' }),
      timeline: nullable(Type.Integer({ description: 'Before the failover' })),
      systemId: nullable(Type.String()),
      revision: Type.String({ description: 'resourceVersion of the Cluster before it' }),
    },
    strict,
  ),
  effect: 'destroy',
  changes: (input) => {
    const { kubernetes, namespace, cluster, server } = membersOf(input);
    return [changeOf({ kubernetes, kind: 'Pod', namespace, name: `${inWords(cluster)}-*` }), ...(server === undefined ? [] : [{ system: `postgres:${inWords(server)}`, object: '*' }])];
  },
  permissions: (input) => {
    const { kubernetes, cluster, namespace, by } = membersOf(input);
    const pod = { kubernetes, kind: 'Pod', namespace };
    return [
      rightOf({ kubernetes, kind: clusters.kind, namespace, name: cluster }, ['get']),
      rightOf(pod, ['get']),
      by === 'kill' ? rightOf(pod, ['create', 'get'], { subresource: 'exec' }) : rightOf(pod, ['delete']),
    ];
  },
  evidence: [],
  examples: [
    { title: 'The primary pod goes', with: { kubernetes: 'k8s', cluster: 'orders', server: 'db' } },
    { title: 'Its server is killed', with: { kubernetes: 'k8s', cluster: 'orders', by: 'kill' } },
  ],
  plan(input) {
    const { kubernetes, cluster, namespace, by, graceSeconds } = membersOf(input);
    const what = planned({ kind: clusters.kind, namespace, name: cluster });
    return by === 'kill'
      ? { does: `Kills the server of the primary of ${what} of ${inWords(kubernetes)}, without warning`, calls: [`get ${what}`, 'exec in the primary pod: kill -s KILL <postmaster>'] }
      : { does: `Deletes the primary pod of ${what} of ${inWords(kubernetes)}, which must then promote another instance`, calls: [`get ${what}`, `delete the primary pod (grace ${graceSeconds === undefined ? 1 : inWords(graceSeconds)} s, only with the uid that was seen)`] };
  },
  async preflight(input, ctx) {
    const facts = await knownCluster(membersOf(input), ctx);
    if (facts === undefined) return [];
    const why = unfit(facts);
    return [{ id: 'can fail over', result: why === undefined ? 'passed' : 'failed', detail: why ?? inShort(facts) } satisfies PreflightCheck];
  },
  async run(input, ctx) {
    const cluster = ctx.ports.kubernetes.cluster(input.kubernetes);
    const facts = readCluster(await cluster.get({ ...clusters, ...referenceOf(input) }));
    const why = unfit(facts);
    if (why !== undefined) throw new StepError('cannot-fail-over', why);
    const primary = facts.primary ?? '';
    const pod = { kind: 'Pod', apiVersion: 'v1', namespace: facts.namespace, name: primary };
    const uid = (await cluster.get(pod)).metadata.uid ?? '';
    ctx.log(`${nameOf(facts)}: ${inShort(facts)}`);
    if (input.by === 'kill') {
      const { exitCode, stderr } = await cluster.exec(pod, killPostgres, { container: 'postgres', effect: 'destroy' }, ctx.signal);
      if (exitCode !== 0) throw new StepError('kill-failed', `the server in pod ${primary} could not be killed: ${stderr.trim()}`);
    } else if (!(await cluster.delete(pod, { uid, gracePeriodSeconds: input.graceSeconds ?? 1 }))) {
      throw new StepError('no-primary-pod', `the primary pod ${primary} was gone before it could be deleted`);
    }
    return { primary, uid, timeline: facts.timeline, systemId: facts.systemId, revision: facts.revision };
  },
});

/** A drill of a failover that could not happen would only be an outage. */
function unfit(facts: ClusterFacts): string | undefined {
  const name = nameOf(facts);
  if (facts.hibernated) return `${name} is hibernated: it says that it is healthy and runs nothing`;
  if (facts.fenced.length > 0) return `${name} has fenced instances (${facts.fenced.join(', ')}), which are not promoted; lift that first (cnpg.lift-fence)`;
  if (facts.primary === null || facts.primary !== facts.target) return `${name} is not at rest: ${inShort(facts)}`;
  const others = facts.healthy.filter((instance) => instance !== facts.primary);
  return others.length === 0 ? `${name} has no replica that is ready and could be promoted: ${inShort(facts)}` : undefined;
}
