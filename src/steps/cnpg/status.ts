import { Type, type Static } from 'typebox';
import { defineStep, type StepContext } from '../../engine/define-step.js';
import { parseDuration } from '../../engine/duration.js';
import { messageOf, StepError } from '../../engine/errors.js';
import { inWords, membersOf } from '../../engine/plannable.js';
import { literals, nullable, strict } from '../../engine/schema.js';
import { planned, rightOf } from '../k8s/lib/declare.js';
import { onCommonFunctions, rights } from '../postgres/lib/rights.js';
import { failures, healthChecks, type Check } from './lib/checks.js';
import { clusters, inShort, nameOf, readCluster, type ClusterFacts } from './lib/cluster.js';
import { within } from './lib/deadline.js';
import { ClusterName, Kubernetes, Namespace, referenceOf, Server, Within } from './lib/inputs.js';
import { readServer } from './lib/server.js';

const Input = Type.Object(
  {
    kubernetes: Kubernetes,
    cluster: ClusterName,
    namespace: Namespace,
    server: Type.Optional(Server('Asked over SQL too: a Cluster that says it is healthy proves neither SQL nor archiving')),
    until: Type.Optional(
      literals(['healthy', 'noticed', 'promoted'], {
        default: 'healthy',
        description: 'healthy: full strength with one primary; noticed: the operator has given up the former primary; promoted: another instance is the primary',
      }),
    ),
    formerPrimary: Type.Optional(Type.String({ minLength: 1, description: 'The primary before the fault (`primary` of cnpg.failover); with `healthy` it must be back as a replica' })),
    timelineBefore: Type.Optional(Type.Integer({ minimum: 1, description: 'The timeline before the fault: it must now be one more' })),
    archiving: Type.Optional(Type.Boolean({ default: false, description: 'WAL archiving must work: by the condition ContinuousArchiving, and with `server` by what its primary has archived' })),
    within: Within('it', '0 for healthy, which looks once, else 5m'),
  },
  strict,
);

export const step = defineStep({
  type: 'cnpg.status',
  summary: 'Looks at a CloudNativePG Cluster, or waits by watch until it has noticed a loss, promoted another primary, or is back at full strength. A hibernated or fenced cluster is not healthy, whatever its phase says.',
  input: Input,
  output: Type.Object(
    {
      primary: nullable(Type.String()),
      timeline: nullable(Type.Integer()),
      systemId: nullable(Type.String()),
      instances: Type.Integer(),
      ready: Type.Integer(),
      revision: Type.String({ description: 'resourceVersion of the Cluster that was looked at' }),
    },
    strict,
  ),
  effect: 'read',
  // While it waits, the operator makes another server answer behind the connection.
  changes: (input) => (membersOf(input).server === undefined || membersOf(input).formerPrimary === undefined ? [] : [{ system: `postgres:${inWords(membersOf(input).server)}`, object: 'server' }]),
  permissions: (input) => {
    const { kubernetes, cluster, namespace, server } = membersOf(input);
    const object = { kubernetes, kind: clusters.kind, namespace, name: cluster };
    return [rightOf(object, ['get']), rightOf(object, ['list', 'watch'], { named: false }), ...(server === undefined ? [] : rights(server, onCommonFunctions('pg_control_system()', 'pg_walfile_name(pg_lsn)')))];
  },
  evidence: ['health-checks'],
  examples: [
    { title: 'Before a drill', with: { kubernetes: 'k8s', cluster: 'orders', server: 'db', archiving: true } },
    { title: 'After a failover', with: { kubernetes: 'k8s', cluster: 'orders', server: 'db', formerPrimary: 'orders-1', timelineBefore: 3, archiving: true, within: '10m' } },
    { title: 'Until the operator has noticed', with: { kubernetes: 'k8s', cluster: 'orders', until: 'noticed', formerPrimary: 'orders-1', within: '2m' } },
  ],
  plan(input) {
    const { kubernetes, cluster, namespace, server, until, formerPrimary, timelineBefore, archiving, within: limit } = membersOf(input);
    if (until !== undefined && until !== 'healthy' && formerPrimary === undefined) throw new StepError('bad-input', `\`until: ${inWords(until)}\` needs \`formerPrimary\``);
    const what = { kubernetes, kind: clusters.kind, namespace, name: cluster };
    const ends = { healthy: 'is healthy and at full strength', noticed: `has given up ${inWords(formerPrimary)}`, promoted: `has another primary than ${inWords(formerPrimary)}` };
    const more = [...(formerPrimary === undefined || (until ?? 'healthy') !== 'healthy' ? [] : [`${inWords(formerPrimary)} is back as a replica`]), ...(timelineBefore === undefined ? [] : [`the timeline is ${inWords(timelineBefore)} + 1`]), ...(archiving === true ? ['WAL is archived'] : [])];
    const end = [until === undefined || typeof until === 'string' ? ends[until ?? 'healthy'] : inWords(until), ...more].join(', ');
    return {
      does: `${limit === undefined && (until ?? 'healthy') === 'healthy' ? 'Checks that' : `Waits at most ${inWords(limit ?? '5m')} until`} ${planned(what)} of ${inWords(kubernetes)} ${end}`,
      calls: [`watch ${planned(what)}`, ...(server === undefined ? [] : [`SELECT pg_is_in_recovery(), ... FROM pg_stat_archiver on ${inWords(server)}`])],
    };
  },
  async run(input, ctx) {
    const until = input.until ?? 'healthy';
    if (until === 'healthy') return outputOf(await untilHealthy(input, ctx));
    const { formerPrimary } = input;
    if (formerPrimary === undefined) throw new StepError('bad-input', `\`until: ${until}\` needs \`formerPrimary\``);
    const ends = until === 'noticed' ? (facts: ClusterFacts) => facts.target !== formerPrimary : (facts: ClusterFacts) => facts.primary !== null && facts.primary !== formerPrimary && facts.primary === facts.target;
    let last: ClusterFacts | undefined;
    const code = until === 'noticed' ? 'failure-not-noticed' : 'no-new-primary';
    const facts = await within(ctx, limitOf(input), (signal) => watched(input, ctx, signal, (seen) => (ends((last = seen)) ? seen : undefined)), () => new StepError(code, `${until === 'noticed' ? `the operator has not given up ${formerPrimary}` : `no other instance than ${formerPrimary} became the primary`} within ${input.within ?? '5m'}: ${last === undefined ? 'nothing was seen of the Cluster' : inShort(last)}`));
    ctx.log(inShort(facts));
    return outputOf(facts);
  },
});

type Given = Static<typeof Input>;

/** What is missing when the time is over is evidence, and named by the error. */
async function untilHealthy(input: Given, ctx: StepContext): Promise<ClusterFacts> {
  let checks: readonly Check[] = [];
  const wanted = { archiving: input.archiving ?? false, ...(input.formerPrimary === undefined ? {} : { former: input.formerPrimary }), ...(input.timelineBefore === undefined ? {} : { timelineBefore: input.timelineBefore }) };
  const look = async (signal: AbortSignal): Promise<ClusterFacts> => {
    for (;;) {
      const facts = await watched(input, ctx, signal, (seen) => (limitOf(input) > 0 && failures((checks = healthChecks(seen, wanted))) !== '' ? undefined : seen));
      checks = await withServer(input, ctx, facts, wanted);
      if (failures(checks) === '' || limitOf(input) === 0) return facts;
      await ctx.clock.sleep(200, signal);
    }
  };
  const late = () => new StepError('cluster-not-healthy', `cluster ${input.cluster} was not healthy within ${input.within ?? '0'}: ${failures(checks)}`);
  // A single look has as long as the step itself.
  const looking = limitOf(input) === 0 ? look(ctx.signal) : within(ctx, limitOf(input), look, late);
  const found = await looking.catch(async (error: unknown) => {
    if (!ctx.signal.aborted && checks.length > 0) await ctx.evidence('health-checks', { checks: [...checks] });
    throw error;
  });
  await ctx.evidence('health-checks', { checks: [...checks] });
  ctx.log(`${nameOf(found)}: ${inShort(found)}`);
  if (failures(checks) !== '') throw new StepError('cluster-not-healthy', `${nameOf(found)} is not healthy: ${failures(checks)}`);
  return found;
}

async function withServer(input: Given, ctx: StepContext, facts: ClusterFacts, wanted: Parameters<typeof healthChecks>[1]): Promise<readonly Check[]> {
  if (input.server === undefined) return healthChecks(facts, wanted);
  try {
    return healthChecks(facts, wanted, await readServer(ctx, input.server));
  } catch (error) {
    ctx.signal.throwIfAborted();
    return [...healthChecks(facts, wanted), { name: 'answers SQL', ok: false, detail: messageOf(error) }];
  }
}

function watched<T>(input: Given, ctx: StepContext, signal: AbortSignal, look: (facts: ClusterFacts) => T | undefined): Promise<T> {
  return ctx.ports.kubernetes.cluster(input.kubernetes).until(
    { ...clusters, ...referenceOf(input) },
    (object) => {
      if (object === undefined) throw new StepError('no-such-cluster', `there is no Cluster ${input.cluster}${input.namespace === undefined ? '' : ` in ${input.namespace}`}`);
      return look(readCluster(object));
    },
    signal,
  );
}

function limitOf(input: Given): number {
  return parseDuration(input.within ?? ((input.until ?? 'healthy') === 'healthy' ? '0' : '5m'));
}

function outputOf({ primary, timeline, systemId, instances, ready, revision }: ClusterFacts) {
  return { primary, timeline, systemId, instances, ready, revision };
}
