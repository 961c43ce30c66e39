import { Type, type Static } from 'typebox';
import { defineStep } from '../../engine/define-step.js';
import { parseDuration } from '../../engine/duration.js';
import { StepError } from '../../engine/errors.js';
import { inWords, membersOf } from '../../engine/plannable.js';
import { Duration, literals, nullable, strict } from '../../engine/schema.js';
import { changeOf, planned, rightOf } from './lib/declare.js';
import { dryRun } from './lib/dry-run.js';
import { untilGone } from './lib/gone.js';
import { objectFields } from './lib/inputs.js';
import { nameOf, referenceOf, uidOf } from './lib/objects.js';

const propagations = { background: 'Background', foreground: 'Foreground', orphan: 'Orphan' } as const;

const input = Type.Object(
  {
    ...objectFields,
    uid: Type.Optional(Type.String({ minLength: 1, description: 'Delete this object only; default: the one that bears the name when the step begins' })),
    gracePeriod: Type.Optional(Duration("How long a pod's processes get to end, in whole seconds; default: as the pod says. 0 kills at once.")),
    propagation: Type.Optional(literals(['background', 'foreground', 'orphan'], { default: 'background', description: 'What becomes of objects that belong to it' })),
    wait: Type.Optional(Type.Boolean({ default: true, description: 'Until it is gone, with its finalizers' })),
    ifMissing: Type.Optional(literals(['fail', 'pass'], { default: 'fail' })),
  },
  strict,
);

type Input = Static<typeof input>;

export const step = defineStep({
  type: 'k8s.delete',
  summary: 'Deletes one object, by its identity: another one that takes its name meanwhile is left alone. It does not come back at the end.',
  input,
  output: Type.Object({ uid: nullable(Type.String({ description: 'null: there was nothing to delete' })) }, strict),
  effect: 'destroy',
  changes: (given) => [changeOf(membersOf(given))],
  permissions: (given) => [rightOf(membersOf(given), ['get', 'delete', 'list', 'watch'])],
  evidence: [],
  examples: [
    { title: 'Kill a pod as abruptly as the API allows', with: { kubernetes: 'cluster', kind: 'Pod', name: 'web-0', gracePeriod: '0', wait: false } },
    { title: 'Delete the claim that an earlier step read', with: { kubernetes: 'cluster', kind: 'pvc', name: 'data-web-0', uid: '{{ steps.claim.uid }}' } },
  ],
  plan(given) {
    const { kind, name, namespace, gracePeriod, propagation } = membersOf(given);
    const flags = [namespace === undefined ? '' : ` -n ${inWords(namespace)}`, gracePeriod === undefined ? '' : ` --grace-period=${inWords(gracePeriod)}`, propagation === undefined ? '' : ` --cascade=${inWords(propagation)}`];
    return { does: `Deletes ${planned(membersOf(given))}`, calls: [`kubectl delete ${inWords(kind)} ${inWords(name)}${flags.join('')}`] };
  },
  preflight: (given, ctx) =>
    dryRun<Input>(given, async (known) => {
      const done = await ctx.ports.kubernetes.cluster(known.kubernetes).delete(referenceOf(known), { dryRun: true, ...(known.uid === undefined ? {} : { uid: known.uid }) });
      if (!done && known.ifMissing !== 'pass') throw new StepError('k8s-not-found', `there is no ${known.kind} ${known.name}`);
    }),
  async run(given, ctx) {
    const cluster = ctx.ports.kubernetes.cluster(given.kubernetes);
    const reference = referenceOf(given);
    const found = await cluster.find(reference);
    const missing = (why: string): { uid: null } => {
      if (given.ifMissing !== 'pass') throw new StepError('k8s-not-found', why);
      return { uid: null };
    };
    if (found === undefined) return missing(`there is no ${given.kind} ${given.name}`);
    const uid = uidOf(found);
    if (given.uid !== undefined && given.uid !== uid) return missing(`${nameOf(found)} is another object: its uid is ${uid}, not ${given.uid}`);
    const gracePeriod = given.gracePeriod === undefined ? {} : { gracePeriodSeconds: Math.round(parseDuration(given.gracePeriod) / 1000) };
    await cluster.delete(reference, { uid, propagation: propagations[given.propagation ?? 'background'], ...gracePeriod });
    ctx.log(`deleted ${nameOf(found)} (${uid})`);
    if (given.wait !== false) await untilGone(cluster, reference, uid, ctx.signal);
    return { uid };
  },
});
