import { Type } from 'typebox';
import { defineProbe, type ProbeContext } from '../../engine/define-step.js';
import type { EvidenceOf } from '../../engine/kinds/index.js';
import { inWords, membersOf } from '../../engine/plannable.js';
import { strict } from '../../engine/schema.js';
import { planned, rightOf } from '../k8s/lib/declare.js';
import { clusters, inShort, readCluster, type ClusterFacts } from './lib/cluster.js';
import { ClusterName, Kubernetes, Namespace, referenceOf } from './lib/inputs.js';

export const probe = defineProbe({
  type: 'cnpg.states',
  summary: 'Watches a CloudNativePG Cluster and records each state that it tells, stamped with the clock of the run when the news came: how much of an outage was detection, election, promotion and reconnection.',
  input: Type.Object({ kubernetes: Kubernetes, cluster: ClusterName, namespace: Namespace }, strict),
  samples: 'none',
  changes: () => [],
  permissions: (input) => [rightOf({ ...membersOf(input), kind: clusters.kind }, ['list', 'watch'], { named: false })],
  examples: [{ title: 'Beside a failover', with: { kubernetes: 'k8s', cluster: 'orders' } }],
  plan(input) {
    const { kubernetes, cluster, namespace } = membersOf(input);
    const what = planned({ kind: clusters.kind, namespace, name: cluster });
    return { does: `Watches ${what} of ${inWords(kubernetes)} and records every state that it tells`, calls: [`list and watch ${what}`] };
  },
  async start(input, ctx) {
    const life = new AbortController();
    let watching = Promise.resolve();
    // The state before the fault must be known before there is one.
    await new Promise<void>((resolve, reject) => {
      watching = follow(input, ctx, AbortSignal.any([ctx.signal, life.signal]), resolve);
      watching.then(resolve, reject);
    });
    return {
      async stop() {
        life.abort();
        await watching;
      },
    };
  },
});

/** Each state once; resolves when `signal` ends it. */
async function follow(input: { readonly kubernetes: string; readonly cluster: string; readonly namespace?: string }, ctx: ProbeContext, signal: AbortSignal, seenFirst: () => void): Promise<void> {
  const cluster = ctx.ports.kubernetes.cluster(input.kubernetes);
  const { name, namespace } = referenceOf(input);
  let last = '';
  const events = cluster.watch({ ...clusters, ...(namespace === undefined ? {} : { namespace }) }, { name }, signal);
  for await (const event of events) {
    const seen = ctx.clock.now();
    if (event.type === 'gap' || event.type === 'interrupted') ctx.log(event.detail);
    const objects = event.type === 'listed' ? event.items : event.type === 'added' || event.type === 'modified' ? [event.object] : [];
    for (const object of objects.filter((each) => each.metadata.name === name)) {
      const facts = readCluster(object);
      const state = stateOf(facts, `cluster ${facts.namespace}/${facts.name} of ${input.kubernetes}`);
      const told = JSON.stringify(state);
      if (told === last) continue;
      last = told;
      await ctx.evidence('cluster-state', { ...state, seen, revision: facts.revision });
      ctx.log(inShort(facts));
    }
    seenFirst();
  }
}

function stateOf({ phase, phaseReason, primary, target, instances, ready, timeline, stamps }: ClusterFacts, cluster: string): Omit<EvidenceOf<'cluster-state'>, 'seen' | 'revision'> {
  return { cluster, phase, reason: phaseReason, primary, target, members: instances, ready, timeline, stamps: { ...stamps } };
}
