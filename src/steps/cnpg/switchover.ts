import { Type } from 'typebox';
import { defineStep } from '../../engine/define-step.js';
import { parseDuration } from '../../engine/duration.js';
import { StepError } from '../../engine/errors.js';
import { inWords, membersOf } from '../../engine/plannable.js';
import { nullable, strict } from '../../engine/schema.js';
import { changeOf, planned, rightOf } from '../k8s/lib/declare.js';
import { clusters, inShort, list, nameOf, readCluster, type ClusterFacts } from './lib/cluster.js';
import { within } from './lib/deadline.js';
import { ClusterName, Kubernetes, Namespace, referenceOf, Server, Within } from './lib/inputs.js';

export const step = defineStep({
  type: 'cnpg.switchover',
  summary: 'Moves the primary of a CloudNativePG Cluster to another instance in good order, as `kubectl cnpg promote` does, and waits until it is there. For drills with `fault: planned`.',
  input: Type.Object(
    {
      kubernetes: Kubernetes,
      cluster: ClusterName,
      namespace: Namespace,
      server: Type.Optional(Server('The connection to the primary: whoever answers there changes')),
      to: Type.Optional(Type.String({ minLength: 1, description: 'The instance; default: the first ready replica by name' })),
      within: Within('the switchover', '10m'),
    },
    strict,
  ),
  output: Type.Object({ from: Type.String(), to: Type.String(), timeline: nullable(Type.Integer({ description: 'Before the switchover' })) }, strict),
  effect: 'modify',
  changes: (input) => {
    const { kubernetes, namespace, cluster, server } = membersOf(input);
    return [changeOf({ kubernetes, kind: clusters.kind, namespace, name: cluster }), ...(server === undefined ? [] : [{ system: `postgres:${inWords(server)}`, object: '*' }])];
  },
  permissions: (input) => {
    const object = { ...membersOf(input), kind: clusters.kind, name: membersOf(input).cluster };
    return [rightOf(object, ['get']), rightOf(object, ['list', 'watch'], { named: false }), rightOf(object, ['patch'], { subresource: 'status' })];
  },
  evidence: [],
  examples: [
    { title: 'To any replica', with: { kubernetes: 'k8s', cluster: 'orders', server: 'db' } },
    { title: 'To one of them', with: { kubernetes: 'k8s', cluster: 'orders', to: 'orders-2', within: '5m' } },
  ],
  plan(input) {
    const { cluster, namespace, to } = membersOf(input);
    const what = planned({ kind: clusters.kind, namespace, name: cluster });
    return { does: `Moves the primary of ${what} to ${to === undefined ? 'a ready replica' : inWords(to)} in good order, and waits until it is there`, calls: [`patch ${what}/status: targetPrimary, targetPrimaryTimestamp, phase "Switchover in progress"`, `watch ${what}`] };
  },
  async run(input, ctx) {
    const cluster = ctx.ports.kubernetes.cluster(input.kubernetes);
    const reference = { ...clusters, ...referenceOf(input) };
    let facts = readCluster(await cluster.get(reference));
    const from = facts.primary;
    if (from === null || from !== facts.target || facts.hibernated) throw new StepError('cannot-switch-over', `${nameOf(facts)} is not at rest: ${inShort(facts)}`);
    const to = input.to ?? facts.healthy.filter((instance) => instance !== from && !facts.fenced.includes(instance)).toSorted()[0];
    if (to === undefined || to === from || !facts.healthy.includes(to)) throw new StepError('cannot-switch-over', `${nameOf(facts)} has no ready replica ${input.to ?? ''}`.trimEnd());
    await cluster.patch(reference, { metadata: { resourceVersion: facts.revision }, status: switching(facts, to, ctx.clock.now().at) }, { subresource: 'status', uid: facts.uid });
    const late = () => new StepError('no-switchover', `${to} did not become the primary within ${input.within ?? '10m'}: ${inShort(facts)}`);
    await within(ctx, parseDuration(input.within ?? '10m'), (signal) => cluster.until(reference, (object) => {
      if (object === undefined) throw new StepError('no-such-cluster', `the Cluster ${input.cluster} is gone`);
      facts = readCluster(object);
      return facts.primary === to && facts.target === to ? true : undefined;
    }, signal), late);
    ctx.log(`${nameOf(facts)}: ${inShort(facts)}`);
    return { from, to, timeline: facts.timeline };
  },
});

/** What `kubectl cnpg promote` writes (CloudNativePG 1.30, internal/cmd/plugin/promote). */
function switching(facts: ClusterFacts, to: string, now: string): Record<string, unknown> {
  const ready = { type: 'Ready', status: 'False', reason: 'ClusterIsNotReady', message: 'Cluster Is Not Ready', lastTransitionTime: `${now.slice(0, 19)}Z` };
  const others = list(facts.status['conditions']).filter((condition) => condition['type'] !== 'Ready');
  return { targetPrimary: to, targetPrimaryTimestamp: now.replace(/(\.\d{3})Z$/, '$1000Z'), phase: 'Switchover in progress', phaseReason: `Switching over to ${to}`, conditions: [...others, ready] };
}
