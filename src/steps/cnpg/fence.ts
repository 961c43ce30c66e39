import { Type } from 'typebox';
import { defineStep, type BaseContext, type PreflightCheck } from '../../engine/define-step.js';
import { StepError } from '../../engine/errors.js';
import { inWords, knownText, membersOf } from '../../engine/plannable.js';
import { strict } from '../../engine/schema.js';
import { changeOf, planned, rightOf } from '../k8s/lib/declare.js';
import { clusters, inShort, nameOf, type ClusterFacts } from './lib/cluster.js';
import { addFence, liftFence } from './lib/fencing.js';
import { knownCluster } from './lib/find.js';
import { ClusterName, Kubernetes, Namespace } from './lib/inputs.js';

export const step = defineStep({
  type: 'cnpg.fence',
  summary: 'Fences a replica of a CloudNativePG Cluster: its server is stopped and its pod stays. Fencing the primary is no failover test and is refused. It is lifted again when the drill ends, whatever happens.',
  input: Type.Object({ kubernetes: Kubernetes, cluster: ClusterName, namespace: Namespace, instance: Type.String({ minLength: 1, description: 'Name of the replica' }) }, strict),
  output: Type.Object({ instance: Type.String(), already: Type.Boolean({ description: 'It was fenced before; then it is left so in the end' }) }, strict),
  effect: 'modify',
  changes: (input) => [changeOf({ ...membersOf(input), kind: clusters.kind, name: membersOf(input).cluster })],
  permissions: (input) => [rightOf({ ...membersOf(input), kind: clusters.kind, name: membersOf(input).cluster }, ['get', 'patch'])],
  evidence: [],
  examples: [{ title: 'One replica less', with: { kubernetes: 'k8s', cluster: 'orders', instance: 'orders-3' } }],
  cleanups: {
    lift: { summary: 'Takes the fence off again', run: (data, identity, ctx) => lift(data, identity, ctx) },
  },
  plan(input) {
    const { cluster, namespace, instance } = membersOf(input);
    if (knownText(instance) === '*') throw everyInstance();
    const what = planned({ kind: clusters.kind, namespace, name: cluster });
    return { does: `Fences the replica ${inWords(instance)} of ${what}: its server stops, its pod stays`, calls: [`patch ${what}: metadata.annotations["cnpg.io/fencedInstances"]`], undo: [`Takes the fence off ${inWords(instance)}`] };
  },
  async preflight(input, ctx) {
    const { instance } = membersOf(input);
    const facts = await knownCluster(membersOf(input), ctx);
    if (facts === undefined || typeof instance !== 'string') return [];
    const why = unfit(facts, instance);
    return [{ id: 'may be fenced', result: why === undefined ? 'passed' : 'failed', detail: why ?? inShort(facts) } satisfies PreflightCheck];
  },
  async run(input, ctx) {
    if (input.instance === '*') throw everyInstance();
    const already = await addFence(input, ctx, (facts) => {
      const why = unfit(facts, input.instance);
      if (why !== undefined) throw new StepError('fence-is-no-failover', why, { hint: 'cnpg.failover takes a primary away; cnpg.switchover moves it in good order.' });
    });
    return { instance: input.instance, already };
  },
});

function everyInstance(): StepError {
  return new StepError('fence-is-no-failover', 'fencing all instances (*) stops the primary too, and nothing is promoted', { hint: 'cnpg.failover takes a primary away.' });
}

function unfit(facts: ClusterFacts, instance: string): string | undefined {
  if (facts.primary !== instance && facts.target !== instance) return undefined;
  return `${instance} is the primary of ${nameOf(facts)}: fencing it stops the server and keeps it the primary, so nothing fails over and clients are down until the fence is lifted`;
}

async function lift(data: Record<string, unknown>, identity: Record<string, unknown> | undefined, ctx: BaseContext): Promise<void> {
  const { kubernetes, cluster, namespace, instance } = data;
  await liftFence({ kubernetes: String(kubernetes), cluster: String(cluster), namespace: String(namespace), instance: String(instance) }, ctx, typeof identity?.['uid'] === 'string' ? identity['uid'] : undefined);
}
