import { Type, type Static } from 'typebox';
import type { KubernetesCluster, KubernetesObject } from '../../clients/kubernetes/port.js';
import { defineStep } from '../../engine/define-step.js';
import { inWords, membersOf } from '../../engine/plannable.js';
import { literals, strict } from '../../engine/schema.js';
import { changeOf, planned, rightOf } from './lib/declare.js';
import { dryRun, withHint } from './lib/dry-run.js';
import { objectFields } from './lib/inputs.js';
import { mergePatchBack } from './lib/merge.js';
import { referenceOf, uidOf } from './lib/objects.js';
import { deferRestore, refuseSecretValues, restore } from './lib/restore.js';

const input = Type.Object(
  {
    ...objectFields,
    patch: Type.Unknown({ description: 'An object for merge and strategic, a list of operations for json' }),
    type: Type.Optional(literals(['merge', 'strategic', 'json'], { default: 'merge', description: 'merge: RFC 7396; json: RFC 6902; strategic: lists by key, for built-in kinds only' })),
    subresource: Type.Optional(literals(['status'], { description: 'Change the status in place of all else' })),
  },
  strict,
);

type Input = Static<typeof input>;

export const step = defineStep({
  type: 'k8s.patch',
  summary: 'Changes one object by a patch. What it had before comes back at the end.',
  input,
  output: Type.Object({ uid: Type.String(), resourceVersion: Type.String(), changed: Type.Boolean({ description: 'false: it was so already' }) }, strict),
  effect: 'modify',
  changes: (given) => [changeOf(membersOf(given))],
  permissions: (given) => {
    const { subresource } = membersOf(given);
    return [rightOf(membersOf(given), ['get', 'patch']), ...(typeof subresource === 'string' ? [rightOf(membersOf(given), ['get', 'patch'], { subresource })] : [])];
  },
  evidence: [],
  examples: [{ title: 'Keep the volume when its claim goes', with: { kubernetes: 'cluster', kind: 'pv', name: '{{ inputs.volume }}', patch: { spec: { persistentVolumeReclaimPolicy: 'Retain' } } } }],
  cleanups: { restore },
  plan(given) {
    const { kind, name, namespace, type, subresource, patch } = membersOf(given);
    const place = namespace === undefined ? '' : ` -n ${inWords(namespace)}`;
    const part = subresource === undefined ? '' : ` --subresource=${inWords(subresource)}`;
    return {
      does: `Changes ${planned(membersOf(given))}`,
      calls: [`kubectl patch ${inWords(kind)} ${inWords(name)}${place}${part} --field-manager=muster --type=${type === undefined ? 'merge' : inWords(type)} -p '${JSON.stringify(patch)}'`],
      undo: [`gives ${planned(membersOf(given))} back what it had`],
    };
  },
  preflight: (given, ctx) =>
    dryRun<Input>(given, async (known) => {
      const cluster = ctx.ports.kubernetes.cluster(known.kubernetes);
      const before = await cluster.get(referenceOf(known));
      refuseSecretValues(before, mergePatchBack(before, await send(cluster, known, true)) ?? {});
    }),
  async run(given, ctx) {
    const cluster = ctx.ports.kubernetes.cluster(given.kubernetes);
    const before = await cluster.get(referenceOf(given));
    const uid = uidOf(before);
    try {
      if (given.subresource === 'status') {
        const { status } = await send(cluster, given, true, uid);
        const back = mergePatchBack({ state: before['status'] ?? {} }, { state: status ?? {} });
        if (back !== undefined) await deferRestore(ctx, given.kubernetes, before, { status: back['state'] }, 'status');
        return result(await send(cluster, given, false, uid), back !== undefined);
      }
      const back = mergePatchBack(before, await send(cluster, given, true, uid));
      if (back !== undefined) await deferRestore(ctx, given.kubernetes, before, back);
      return result(await send(cluster, given, false, uid), back !== undefined);
    } catch (error) {
      throw withHint(error);
    }
  },
});

function send(cluster: KubernetesCluster, given: Input, isDryRun: boolean, uid?: string): Promise<KubernetesObject> {
  const { patch, type = 'merge', subresource } = given;
  const guarded: unknown = uid !== undefined && type === 'json' && Array.isArray(patch) ? [{ op: 'test', path: '/metadata/uid', value: uid }, ...patch] : patch;
  return cluster.patch(referenceOf(given), guarded, { type, dryRun: isDryRun, ...(subresource === undefined ? {} : { subresource }), ...(uid === undefined || type === 'json' ? {} : { uid }) });
}

function result(object: KubernetesObject, changed: boolean): { uid: string; resourceVersion: string; changed: boolean } {
  return { uid: uidOf(object), resourceVersion: object.metadata.resourceVersion ?? '', changed };
}
