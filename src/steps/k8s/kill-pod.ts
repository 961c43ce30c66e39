import { Type, type Static } from 'typebox';
import type { KubernetesCluster, KubernetesObject } from '../../clients/kubernetes/port.js';
import { defineStep } from '../../engine/define-step.js';
import { parseDuration } from '../../engine/duration.js';
import { StepError } from '../../engine/errors.js';
import { inWords, membersOf } from '../../engine/plannable.js';
import { Duration, strict } from '../../engine/schema.js';
import { changeOf, rightOf } from './lib/declare.js';
import { dryRun } from './lib/dry-run.js';
import { Kubernetes, Namespace } from './lib/inputs.js';
import { nameOf, uidOf } from './lib/objects.js';
import { nodeOf, readySince } from './lib/ready.js';

const input = Type.Object(
  {
    kubernetes: Kubernetes,
    namespace: Namespace,
    selector: Type.String({ minLength: 1, description: 'Labels of the pods; of those that are ready, the first by name is killed' }),
    gracePeriod: Type.Optional(Duration('How long its processes get to end, in whole seconds; default 0: they are killed.')),
  },
  strict,
);

type Input = Static<typeof input>;

export const step = defineStep({
  type: 'k8s.kill-pod',
  summary: 'Deletes one pod of a workload, by default without any warning to it. Its controller makes another one: a pod without one is refused.',
  input,
  output: Type.Object({ pod: Type.String(), uid: Type.String(), node: Type.String(), ready: Type.Integer({ description: 'Ready pods with these labels before, this one included' }) }, strict),
  effect: 'destroy',
  changes: (given) => [changeOf({ kubernetes: membersOf(given).kubernetes, namespace: membersOf(given).namespace, kind: 'Pod' })],
  permissions: (given) => [rightOf({ kubernetes: membersOf(given).kubernetes, namespace: membersOf(given).namespace, kind: 'Pod' }, ['list', 'delete'])],
  evidence: [],
  examples: [{ title: 'A pod of the web tier dies', with: { kubernetes: 'cluster', selector: 'app=web' } }],
  plan(given) {
    const { selector, namespace, gracePeriod } = membersOf(given);
    const place = namespace === undefined ? '' : ` -n ${inWords(namespace)}`;
    return { does: `Kills a pod with ${inWords(selector)}`, calls: [`kubectl delete pod <the first that is ready>${place} --grace-period=${gracePeriod === undefined ? '0' : inWords(gracePeriod)}`] };
  },
  preflight: (given, ctx) =>
    dryRun<Input>(given, async (known) => {
      const cluster = ctx.ports.kubernetes.cluster(known.kubernetes);
      const { pod } = await victimOf(cluster, known);
      await cluster.delete(referenceOf(pod), { dryRun: true, uid: uidOf(pod) });
    }),
  async run(given, ctx) {
    const cluster = ctx.ports.kubernetes.cluster(given.kubernetes);
    const { pod, ready } = await victimOf(cluster, given);
    const uid = uidOf(pod);
    await cluster.delete(referenceOf(pod), { uid, gracePeriodSeconds: Math.round(parseDuration(given.gracePeriod ?? '0') / 1000) });
    ctx.log(`killed ${nameOf(pod)} (${uid}) on ${nodeOf(pod) ?? 'no node'}`);
    return { pod: pod.metadata.name, uid, node: nodeOf(pod) ?? '', ready };
  },
});

async function victimOf(cluster: KubernetesCluster, { selector, namespace }: Input): Promise<{ readonly pod: KubernetesObject; readonly ready: number }> {
  const { items } = await cluster.list({ kind: 'Pod', apiVersion: 'v1', ...(namespace === undefined ? {} : { namespace }) }, { labelSelector: selector });
  const ready = items.filter((pod) => readySince(pod) !== undefined).toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  const [pod] = ready;
  if (pod === undefined) throw new StepError('k8s-not-found', `no pod with ${selector} is ready`, { retryable: true });
  if (pod.metadata.ownerReferences?.some(({ controller }) => controller === true) !== true) throw new StepError('k8s-rejected', `${nameOf(pod)} has no controller: nothing would make another one`);
  return { pod, ready: ready.length };
}

function referenceOf({ metadata: { name, namespace } }: KubernetesObject): { readonly kind: string; readonly apiVersion: string; readonly name: string; readonly namespace?: string } {
  return { kind: 'Pod', apiVersion: 'v1', name, ...(namespace === undefined ? {} : { namespace }) };
}
