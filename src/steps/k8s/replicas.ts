import { Type, type Static } from 'typebox';
import type { KubernetesCluster, KubernetesObject } from '../../clients/kubernetes/port.js';
import { defineProbe, type ProbeContext } from '../../engine/define-step.js';
import { messageOf, StepError } from '../../engine/errors.js';
import { inWords, membersOf } from '../../engine/plannable.js';
import { literals, strict } from '../../engine/schema.js';
import { planned, rightOf } from './lib/declare.js';
import { Kubernetes, Namespace, ObjectName } from './lib/inputs.js';
import { Floor } from './lib/floor.js';
import { nameOf } from './lib/objects.js';

const input = Type.Object(
  {
    kubernetes: Kubernetes,
    namespace: Namespace,
    kind: literals(['Deployment', 'StatefulSet', 'ReplicaSet']),
    name: ObjectName(),
    budget: Type.Optional(ObjectName('PodDisruptionBudget whose wanted number of healthy pods is the least; or give `minimum`')),
    minimum: Type.Optional(Type.Integer({ minimum: 1, description: 'The least number of ready pods' })),
  },
  strict,
);

type Input = Static<typeof input>;

export const probe = defineProbe({
  type: 'k8s.replicas',
  summary: "Watches a workload's pods, and says whether there were ever fewer ready ones than its disruption budget or a number demands.",
  input,
  samples: 'none',
  changes: () => [],
  permissions(given) {
    const { kubernetes, namespace, budget } = membersOf(given);
    const right = (kind: string, verbs: readonly string[], name?: unknown) => rightOf({ kubernetes, namespace, kind, name }, verbs);
    return [rightOf(membersOf(given), ['get']), right('Pod', ['list', 'watch']), ...(budget === undefined ? [] : [right('PodDisruptionBudget', ['get'], budget)])];
  },
  examples: [{ title: 'Never below the budget', with: { kubernetes: 'cluster', kind: 'Deployment', name: 'web', budget: 'web' } }],
  plan(given) {
    const { budget, minimum } = membersOf(given);
    return { does: `Watches the pods of ${planned(membersOf(given))}: never fewer ready ones than ${budget === undefined ? inWords(minimum) : `the budget ${inWords(budget)} demands`}`, calls: [] };
  },
  async start(given, ctx) {
    const cluster = ctx.ports.kubernetes.cluster(given.kubernetes);
    const workload = await cluster.get({ kind: given.kind, name: given.name, ...placeOf(given) });
    const floor = new Floor(await leastOf(cluster, given), ctx.earlier === null ? undefined : 'it was not watched while the process that ran the drill was away');
    const ended = new AbortController();
    const watching = watch(cluster, given, selectorOf(workload), floor, ctx, AbortSignal.any([ctx.signal, ended.signal])).catch((error: unknown) => floor.blind(messageOf(error)));
    return {
      async finish(finishing) {
        ended.abort(new Error('the probe was stopped'));
        await watching;
        await finishing.evidence('health-checks', { checks: [{ name: `Never fewer than ${floor.least} pods of ${nameOf(workload)} ready`, ...floor.finding() }] });
      },
      async stop() {
        ended.abort(new Error('the probe was stopped'));
        await watching;
      },
    };
  },
});

async function watch(cluster: KubernetesCluster, given: Input, labelSelector: string, floor: Floor, ctx: ProbeContext, signal: AbortSignal): Promise<void> {
  let least: number | undefined;
  for await (const event of cluster.watch({ kind: 'Pod', apiVersion: 'v1', ...placeOf(given) }, { labelSelector }, signal)) {
    if ('detail' in event) ctx.log(event.detail);
    floor.take(event, ctx.clock.now().at);
    if (floor.lowest !== least) ctx.log(`ready pods of ${given.name}: ${floor.lowest}`);
    least = floor.lowest;
  }
}

function placeOf({ namespace }: Input): { readonly namespace?: string } {
  return namespace === undefined ? {} : { namespace };
}

async function leastOf(cluster: KubernetesCluster, given: Input): Promise<number> {
  if ((given.budget === undefined) === (given.minimum === undefined)) throw new StepError('bad-input', 'give either `budget` or `minimum`');
  if (given.budget === undefined) return given.minimum ?? 1;
  const budget = (await cluster.get({ kind: 'PodDisruptionBudget', name: given.budget, ...placeOf(given) })) as KubernetesObject & { readonly status?: { readonly desiredHealthy?: number } };
  const least = budget.status?.desiredHealthy ?? 0;
  if (least < 1) throw new StepError('bad-input', `${nameOf(budget)} demands no healthy pod (status.desiredHealthy ${least})`);
  return least;
}

/** In the form of a label selector. */
function selectorOf(workload: KubernetesObject): string {
  const { matchLabels = {}, matchExpressions = [] } = (workload as { spec?: { selector?: { matchLabels?: Record<string, string>; matchExpressions?: { key: string; operator: string; values?: string[] }[] } } }).spec?.selector ?? {};
  const expressions = matchExpressions.map(({ key, operator, values = [] }) => (operator === 'Exists' ? key : operator === 'DoesNotExist' ? `!${key}` : `${key} ${operator === 'In' ? 'in' : 'notin'} (${values.join(',')})`));
  return [...Object.entries(matchLabels).map(([key, value]) => `${key}=${value}`), ...expressions].join(',');
}
