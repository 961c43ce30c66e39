import { Type } from 'typebox';
import type { KubernetesObject } from '../../clients/kubernetes/port.js';
import { defineStep } from '../../engine/define-step.js';
import { inWords, itemsOf, membersOf } from '../../engine/plannable.js';
import { strict } from '../../engine/schema.js';
import { nodeInputs, nodeRight, nodesInWords, nodesOf } from './lib/nodes.js';
import { sameObject, storedObject, storedReference, uidOf } from './lib/objects.js';

export const step = defineStep({
  type: 'k8s.cordon',
  summary: 'Has no new pods scheduled on nodes. Those that took pods before take them again at the end.',
  input: Type.Object(nodeInputs, strict),
  output: Type.Object({ nodes: Type.Array(Type.String()), cordoned: Type.Array(Type.String(), { description: 'Those that were not cordoned already' }) }, strict),
  effect: 'modify',
  changes(given) {
    const { kubernetes, nodes } = membersOf(given);
    const names = itemsOf<string>(nodes);
    return (names.length === 0 ? ['*'] : names.map(inWords)).map((name) => ({ system: `kubernetes:${inWords(kubernetes)}`, object: `node ${name}` }));
  },
  permissions: (given) => [nodeRight(membersOf(given), membersOf(given).nodes === undefined ? ['get', 'list', 'patch'] : ['get', 'patch'])],
  evidence: [],
  examples: [{ title: 'Take a zone out of service, in good order', with: { kubernetes: 'cluster', selector: 'topology.kubernetes.io/zone=eu-central-1a' } }],
  cleanups: {
    uncordon: {
      summary: 'Has pods scheduled on the node again',
      async run(data, identity, ctx) {
        const { connection, reference } = storedObject(data);
        const uid = identity?.['uid'];
        if (typeof uid !== 'string') return;
        const cluster = ctx.ports.kubernetes.cluster(connection);
        if ((await sameObject(cluster, reference, uid)) !== undefined) await cluster.patch(reference, { spec: { unschedulable: null } }, { uid });
      },
    },
  },
  repeatable: true,
  plan(given) {
    const which = nodesInWords(membersOf(given));
    return { does: `Has no new pods scheduled on ${which}`, calls: [`kubectl cordon ${membersOf(given).nodes === undefined ? `-l ${inWords(membersOf(given).selector)}` : inWords(membersOf(given).nodes)}`], undo: [`uncordons ${which}`] };
  },
  async run(given, ctx) {
    const cluster = ctx.ports.kubernetes.cluster(given.kubernetes);
    const nodes = await nodesOf(cluster, given);
    const open = nodes.filter((node) => !isCordoned(node));
    for (const node of open) {
      const cleanup = await ctx.defer({ uses: 'k8s.cordon/uncordon', with: { kubernetes: given.kubernetes, ...storedReference(node) } });
      await cleanup.confirm({ uid: uidOf(node) });
      await cluster.patch({ kind: 'Node', apiVersion: 'v1', name: node.metadata.name }, { spec: { unschedulable: true } }, { uid: uidOf(node) });
      ctx.log(`cordoned ${node.metadata.name}`);
    }
    const names = (list: readonly KubernetesObject[]) => list.map(({ metadata }) => metadata.name);
    return { nodes: names(nodes), cordoned: names(open) };
  },
});

function isCordoned(node: KubernetesObject): boolean {
  return (node as { spec?: { unschedulable?: boolean } }).spec?.unschedulable === true;
}
