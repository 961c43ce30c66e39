import { Type, type Static } from 'typebox';
import type { KubernetesCluster, KubernetesObject, Manifest } from '../../clients/kubernetes/port.js';
import { defineStep, type Plannable } from '../../engine/define-step.js';
import { StepError } from '../../engine/errors.js';
import { runLabel, runMark } from '../../engine/mark.js';
import { inWords, membersOf } from '../../engine/plannable.js';
import { literals, strict } from '../../engine/schema.js';
import { changeOf, planned, rightOf, type PlannedObject } from './lib/declare.js';
import { dryRun } from './lib/dry-run.js';
import { untilGone } from './lib/gone.js';
import { Kubernetes, Namespace } from './lib/inputs.js';
import { marked } from './lib/marked.js';
import { mergePatchBack } from './lib/merge.js';
import { nameOf, referenceOf, storedObject, storedReference, uidOf } from './lib/objects.js';
import { deferRestore } from './lib/restore.js';

const input = Type.Object(
  {
    kubernetes: Kubernetes,
    namespace: Namespace,
    manifest: Type.Object(
      {
        apiVersion: Type.String({ minLength: 1 }),
        kind: Type.String({ minLength: 1 }),
        metadata: Type.Object({ name: Type.String({ minLength: 1 }), namespace: Type.Optional(Type.String()) }, { additionalProperties: true }),
      },
      { additionalProperties: true, description: 'The object as kubectl apply would get it' },
    ),
    ifExists: Type.Optional(literals(['refuse', 'update'], { default: 'refuse', description: 'update: change an object that is there already; the drill changes it back at the end' })),
    force: Type.Optional(Type.Boolean({ default: false, description: 'Take over fields that another field manager owns' })),
  },
  strict,
);

type Input = Static<typeof input>;

/** Whether anything of theirs is left is looked for after the drill. */
const controllers = new Set(['Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet', 'Job', 'CronJob']);

export const step = defineStep({
  type: 'k8s.apply',
  summary: 'Creates an object by server-side apply as the field manager `muster`. It bears the label muster.dev/run and goes with the drill.',
  input,
  output: Type.Object({ apiVersion: Type.String(), kind: Type.String(), name: Type.String(), uid: Type.String(), resourceVersion: Type.String(), created: Type.Boolean() }, strict),
  effect: (given) => (membersOf(given).ifExists === 'update' ? 'modify' : 'create'),
  changes: (given) => [changeOf(objectOf(given))],
  permissions(given) {
    const object = objectOf(given);
    const { kubernetes, namespace } = object;
    const theirs = controllers.has(inWords(object.kind)) ? ['Pod', 'PersistentVolumeClaim'].map((kind) => rightOf({ kubernetes, namespace, kind }, ['list', 'watch'])) : [];
    return [rightOf(object, ['create', 'list', 'watch'], { named: false }), rightOf(object, ['get', 'patch', 'delete']), ...theirs];
  },
  evidence: [],
  examples: [
    { title: 'A config map for the drill', with: { kubernetes: 'cluster', manifest: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'drill' }, data: { mode: 'drill' } } } },
    { title: 'Hold the autoscaler still, and let it go at the end', with: { kubernetes: 'cluster', ifExists: 'update', manifest: { apiVersion: 'autoscaling/v1', kind: 'HorizontalPodAutoscaler', metadata: { name: 'web' }, spec: { minReplicas: 3, maxReplicas: 3, scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' } } } } },
  ],
  cleanups: {
    remove: {
      summary: 'Deletes the object that the run made, and waits until it and what depends on it are gone',
      async run(data, identity, ctx) {
        const { connection, reference } = storedObject(data);
        const cluster = ctx.ports.kubernetes.cluster(connection);
        const found = await cluster.find(reference);
        const uid = found?.metadata.uid;
        if (found === undefined || uid === undefined) return;
        const isOurs = identity === undefined ? found.metadata.labels?.[runLabel] === data['mark'] : identity['uid'] === uid;
        if (!isOurs) return;
        await cluster.delete(reference, { uid, propagation: 'Foreground' });
        await untilGone(cluster, reference, uid, ctx.signal);
      },
    },
  },
  repeatable: true,
  plan(given) {
    const object = planned(objectOf(given));
    const { force, ifExists } = membersOf(given);
    const update = ifExists === 'update';
    return { does: `${update ? 'Creates or changes' : 'Creates'} ${object}`, calls: [`kubectl apply --server-side --field-manager=muster${force === true ? ' --force-conflicts' : ''} -f <manifest>`], undo: [update ? `deletes ${object} if it was made, else changes it back` : `deletes ${object}`] };
  },
  preflight: (given, ctx) =>
    dryRun<Input>(given, async (known) => {
      const cluster = ctx.ports.kubernetes.cluster(known.kubernetes);
      const found = await cluster.find(referenceOf(placed(known)));
      if (found !== undefined && known.ifExists !== 'update') throw new StepError('k8s-exists', `${nameOf(found)} is there already`, { hint: 'Set ifExists: update to change it, and have the drill change it back.' });
      await cluster.apply(manifestOf(known), { dryRun: true, force: known.force ?? false });
    }),
  async run(given, ctx) {
    const cluster = ctx.ports.kubernetes.cluster(given.kubernetes);
    const { apiVersion, kind, name } = placed(given);
    const found = await cluster.find(referenceOf(placed(given)));
    const result = (object: KubernetesObject, created: boolean) => ({ apiVersion, kind, name, uid: uidOf(object), resourceVersion: object.metadata.resourceVersion ?? '', created });
    if (found !== undefined && found.metadata.labels?.[runLabel] !== runMark(ctx.runId)) {
      if (given.ifExists !== 'update') throw new StepError('k8s-exists', `${nameOf(found)} is there already`, { hint: 'Set ifExists: update to change it, and have the drill change it back.' });
      const after = await cluster.apply(manifestOf(given), { dryRun: true, force: given.force ?? false });
      const back = mergePatchBack(found, after);
      if (back !== undefined) await deferRestore(ctx, given.kubernetes, found, back);
      return result(await cluster.apply({ ...manifestOf(given), metadata: { ...manifestOf(given).metadata, uid: uidOf(found) } }, { effect: 'modify', force: given.force ?? false }), false);
    }
    const manifest = marked(manifestOf(given), ctx.runId);
    const stored = storedReference({ ...manifest, metadata: { ...manifest.metadata, ...(await namespaceOf(cluster, given)) } });
    const cleanup = await ctx.defer({ uses: 'k8s.apply/remove', with: { kubernetes: given.kubernetes, ...stored, mark: runMark(ctx.runId) } });
    const object = await cluster.apply(manifest, { force: given.force ?? false, managedFields: true });
    await cleanup.confirm({ uid: uidOf(object) });
    const others = new Set((object.metadata.managedFields ?? []).flatMap(({ manager }) => (manager === undefined || manager === 'muster' ? [] : [manager])));
    if (found === undefined && others.size > 0) {
      // Somebody made it in the same moment: an apply of nothing gives back what ours added.
      await cluster.apply({ apiVersion, kind, metadata: { name, ...(await namespaceOf(cluster, given)) } }, { effect: 'modify' });
      await cleanup.done();
      throw new StepError('k8s-exists', `${nameOf(object)} was made by ${[...others].join(', ')} at the same time`);
    }
    return result(object, true);
  },
});

function placed({ manifest, namespace }: Input): { readonly apiVersion: string; readonly kind: string; readonly name: string; readonly namespace?: string } {
  const place = manifest.metadata.namespace ?? namespace;
  return { apiVersion: manifest.apiVersion, kind: manifest.kind, name: manifest.metadata.name, ...(place === undefined ? {} : { namespace: place }) };
}

function manifestOf(given: Input): Manifest {
  const { namespace } = placed(given);
  return { ...given.manifest, metadata: { ...given.manifest.metadata, ...(namespace === undefined ? {} : { namespace }) } };
}

/** Kinds that lie in no namespace get none. */
async function namespaceOf(cluster: KubernetesCluster, given: Input): Promise<{ readonly namespace?: string }> {
  const { kind, apiVersion, namespace } = placed(given);
  return (await cluster.resource({ kind, apiVersion })).namespaced ? { namespace: namespace ?? cluster.namespace } : {};
}

function objectOf(given: Plannable<Input>): PlannedObject {
  const { kubernetes, manifest, namespace } = membersOf(given);
  const { apiVersion, kind, metadata } = manifest === undefined ? {} : membersOf(manifest as Plannable<Manifest>);
  const { name, namespace: own } = metadata === undefined ? {} : membersOf(metadata as Plannable<Manifest['metadata']>);
  return { kubernetes, apiVersion, kind: kind ?? inWords(manifest), name, namespace: own ?? namespace };
}
