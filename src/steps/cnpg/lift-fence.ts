import { Type } from 'typebox';
import { defineStep } from '../../engine/define-step.js';
import { inWords, membersOf } from '../../engine/plannable.js';
import { strict } from '../../engine/schema.js';
import { changeOf, planned, rightOf } from '../k8s/lib/declare.js';
import { clusters } from './lib/cluster.js';
import { liftFence } from './lib/fencing.js';
import { ClusterName, Kubernetes, Namespace } from './lib/inputs.js';

export const step = defineStep({
  type: 'cnpg.lift-fence',
  summary: 'Takes the fence off an instance of a CloudNativePG Cluster: its server starts again. Nothing happens when it has none.',
  input: Type.Object({ kubernetes: Kubernetes, cluster: ClusterName, namespace: Namespace, instance: Type.String({ minLength: 1, description: 'Name of the instance, or * where all are fenced' }) }, strict),
  output: Type.Object({ lifted: Type.Boolean({ description: 'It was fenced' }) }, strict),
  effect: 'modify',
  changes: (input) => [changeOf({ ...membersOf(input), kind: clusters.kind, name: membersOf(input).cluster })],
  permissions: (input) => [rightOf({ ...membersOf(input), kind: clusters.kind, name: membersOf(input).cluster }, ['get', 'patch'])],
  evidence: [],
  examples: [{ title: 'The replica comes back', with: { kubernetes: 'k8s', cluster: 'orders', instance: 'orders-3' } }],
  repeatable: true,
  plan(input) {
    const { cluster, namespace, instance } = membersOf(input);
    const what = planned({ kind: clusters.kind, namespace, name: cluster });
    return { does: `Takes the fence off ${inWords(instance)} of ${what}`, calls: [`patch ${what}: metadata.annotations["cnpg.io/fencedInstances"]`] };
  },
  run: async (input, ctx) => ({ lifted: await liftFence(input, ctx) }),
});
