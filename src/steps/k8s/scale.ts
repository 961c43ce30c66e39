import { Type, type Static } from 'typebox';
import type { KubernetesCluster, KubernetesObject, Reference } from '../../clients/kubernetes/port.js';
import { defineStep } from '../../engine/define-step.js';
import { StepError } from '../../engine/errors.js';
import { inWords, membersOf } from '../../engine/plannable.js';
import { strict } from '../../engine/schema.js';
import { changeOf, planned, rightOf } from './lib/declare.js';
import { dryRun } from './lib/dry-run.js';
import { objectFields } from './lib/inputs.js';
import { nameOf, referenceOf, sameObject, storedObject, storedReference, uidOf } from './lib/objects.js';
import { untilScaled } from './lib/scaled.js';

const input = Type.Object(
  {
    ...objectFields,
    replicas: Type.Integer({ minimum: 0 }),
    wait: Type.Optional(Type.Boolean({ default: true, description: 'Until as many are ready, or all pods are gone' })),
  },
  strict,
);

type Input = Static<typeof input>;

export const step = defineStep({
  type: 'k8s.scale',
  summary: 'Asks a workload for another number of replicas, and for as many as before at the end. Fails when somebody else, an autoscaler or GitOps, asks for others meanwhile.',
  input,
  output: Type.Object({ before: Type.Integer(), replicas: Type.Integer(), uid: Type.String() }, strict),
  effect: 'modify',
  // Its controller makes and deletes pods; whose doing that is, is known of the controller.
  changes: (given) => [changeOf(membersOf(given))],
  permissions: (given) => {
    const { kubernetes, namespace } = membersOf(given);
    return [rightOf(membersOf(given), ['get', 'list', 'watch']), rightOf(membersOf(given), ['get', 'patch'], { subresource: 'scale' }), rightOf({ kubernetes, kind: 'Pod', namespace }, ['list', 'watch'])];
  },
  evidence: [],
  examples: [{ title: 'Stop the application while its volume is exchanged', with: { kubernetes: 'cluster', kind: 'Deployment', name: 'web', replicas: 0 } }],
  cleanups: {
    restore: {
      summary: 'Asks the workload for as many replicas as before',
      async run(data, identity, ctx) {
        const { connection, reference } = storedObject(data);
        const [uid, replicas] = [identity?.['uid'], data['replicas']];
        if (typeof uid !== 'string' || typeof replicas !== 'number') return;
        const cluster = ctx.ports.kubernetes.cluster(connection);
        if ((await sameObject(cluster, reference, uid)) !== undefined) await cluster.scale(reference, replicas);
      },
    },
  },
  plan(given) {
    const { kind, name, namespace, replicas } = membersOf(given);
    return { does: `Scales ${planned(membersOf(given))} to ${inWords(replicas)}`, calls: [`kubectl scale ${inWords(kind)} ${inWords(name)}${namespace === undefined ? '' : ` -n ${inWords(namespace)}`} --replicas=${inWords(replicas)}`], undo: [`scales ${planned(membersOf(given))} back`] };
  },
  preflight: (given, ctx) => dryRun<Input>(given, async (known) => ctx.ports.kubernetes.cluster(known.kubernetes).scale(referenceOf(known), known.replicas, { dryRun: true })),
  async run(given, ctx) {
    const cluster = ctx.ports.kubernetes.cluster(given.kubernetes);
    const reference = referenceOf(given);
    const object = await cluster.get(reference);
    const before = await replicasOf(cluster, reference, object);
    if (before !== given.replicas) {
      const cleanup = await ctx.defer({ uses: 'k8s.scale/restore', with: { kubernetes: given.kubernetes, ...storedReference(object), replicas: before } });
      await cleanup.confirm({ uid: uidOf(object) });
      await cluster.scale(reference, given.replicas, { from: before });
      ctx.log(`scaled ${nameOf(object)} from ${before} to ${given.replicas}`);
    }
    if (given.wait !== false) await untilScaled(cluster, reference, uidOf(object), given.replicas, ctx.signal);
    return { before, replicas: given.replicas, uid: uidOf(object) };
  },
});

async function replicasOf(cluster: KubernetesCluster, reference: Reference, object: KubernetesObject): Promise<number> {
  const { spec } = (await cluster.get(reference, { subresource: 'scale' })) as { spec?: { replicas?: number } };
  if (spec === undefined) throw new StepError('k8s-rejected', `${nameOf(object)} cannot be scaled`);
  return spec.replicas ?? 0;
}
