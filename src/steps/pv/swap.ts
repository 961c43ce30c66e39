import { Type } from 'typebox';
import { defineStep } from '../../engine/define-step.js';
import { parseDuration } from '../../engine/duration.js';
import { StepError } from '../../engine/errors.js';
import { inWords, knownText, membersOf } from '../../engine/plannable.js';
import { Duration, literals, strict } from '../../engine/schema.js';
import { defaultEvery, Every, VolumeId } from '../ec2/lib/inputs.js';
import { ec2Of } from '../ec2/lib/preflight.js';
import { ec2Rights } from '../ec2/lib/rights.js';
import { untilVolume, volumeThere } from '../ec2/lib/volumes.js';
import { changeOf } from '../k8s/lib/declare.js';
import { claimManifest, swappedManifests, volumeManifest } from './lib/claim.js';
import { Claim, Name, where, Workload } from './lib/inputs.js';
import { pausable, pauseAll } from './lib/owners.js';
import { putBack } from './lib/put-back.js';
import { rebind, type Binding } from './lib/rebind.js';
import { swapRights } from './lib/rights.js';
import { checkNew, survey } from './lib/survey.js';
import { replicasOf, type WorkloadName } from './lib/workload.js';

const defaultDetach = '10m';

export const step = defineStep({
  type: 'pv.swap',
  summary: 'Gives a Deployment or StatefulSet another EBS volume: no pods, detached, claim and volume deleted and made anew, pods back. A volumeHandle cannot be patched. The old volume is back after the drill.',
  input: Type.Object(
    {
      ...where,
      kind: Workload,
      name: Name,
      claim: Claim,
      volume: VolumeId('The volume that it gets: in the zone of the old one, not smaller, available'),
      pause: Type.Optional(Type.Array(literals(pausable), { minItems: 1, description: 'Who else may decide how many pods there are, and is paused: an autoscaler, a GitOps controller. One that is found and not named is refused' })),
      detachTimeout: Type.Optional(Duration(`How long pods and attachments may take to go; default ${defaultDetach}. After an unclean unmount Kubernetes itself waits six minutes.`)),
      every: Type.Optional(Every),
    },
    strict,
  ),
  output: Type.Object({ from: Type.String(), to: Type.String(), persistentVolume: Type.String(), instance: Type.String() }, strict),
  effect: 'destroy',
  changes(input) {
    const { kubernetes, namespace, kind, name, claim } = membersOf(input);
    const object = (of: object) => changeOf({ kubernetes, namespace, ...of });
    return [
      object({ kind: knownText(kind) ?? 'Deployment', name }),
      // Its controller deletes and makes them, and nothing in a pod says who deleted or placed it.
      object({ kind: 'Pod', name: `${inWords(name)}-*` }),
      object({ kind: 'PersistentVolumeClaim', name: claim }),
      object({ kind: 'PersistentVolume' }),
      // The cluster deletes it once no pod uses the volume.
      changeOf({ kubernetes, kind: 'VolumeAttachment' }),
      object({ kind: 'scaledobjects.keda.sh' }),
      { system: `kubernetes:${inWords(kubernetes)}`, object: 'application *' },
      { system: `kubernetes:${inWords(kubernetes)}`, object: 'kustomization *' },
      { system: `kubernetes:${inWords(kubernetes)}`, object: 'helmrelease *' },
      // The cluster's CSI driver attaches and detaches.
      { system: `aws:${inWords(membersOf(input).aws)}`, object: 'volume *' },
    ];
  },
  permissions: (input) => [...swapRights(membersOf(input)), ...ec2Rights(membersOf(input).aws, 'DescribeVolumes')],
  evidence: ['volume-swap'],
  examples: [{ title: 'A volume that was made from a snapshot', with: { kubernetes: 'cluster', aws: 'aws', namespace: 'shop', kind: 'StatefulSet', name: 'db', claim: 'data-db-0', volume: 'vol-0123456789abcdef0', pause: ['argocd'] } }],
  cleanups: {
    restore: { summary: 'Gives the workload its old volume back, as it was, with as many pods as it had', timeoutMs: 1_500_000, run: (data, _identity, ctx) => putBack(data, ctx) },
  },
  repeatable: true,
  plan(input) {
    const { kind, name, claim, volume, pause } = membersOf(input);
    return {
      does: `Swaps the volume of claim ${inWords(claim)} of ${inWords(kind)} ${inWords(name)} for ${inWords(volume)}: it is down meanwhile`,
      calls: [
        ...(pause === undefined ? [] : [`pause ${inWords(pause)}`]),
        `scale ${inWords(kind)} ${inWords(name)} to 0; wait until its pods and every VolumeAttachment are gone and EC2 says available`,
        'set the reclaim policy Retain and read it back',
        'delete the claim, then the volume object',
        'create the volume object with the new volumeHandle, then the claim with volumeName; wait until bound',
        `scale ${inWords(kind)} ${inWords(name)} back; wait until its pods are ready`,
      ],
      undo: ['the same with the old volume, its old reclaim policy, and whoever was paused'],
    };
  },
  async preflight(input, ctx) {
    const { kubernetes, aws, namespace, kind, name, claim, pause = [] } = membersOf(input);
    const [on, of, what] = [knownText(kubernetes), knownText(name), knownText(claim)];
    if (on === undefined || of === undefined || what === undefined || !isKind(kind)) return [{ id: 'volume can be swapped', result: 'deferred', detail: 'what it is done to waits for the run' }];
    const cluster = ctx.ports.kubernetes.cluster(on);
    const ec2 = ec2Of(aws, ctx);
    try {
      const found = await survey(cluster, ec2, { kind, name: of, namespace: knownText(namespace) ?? cluster.namespace }, what, Array.isArray(pause) ? pause.filter((each) => typeof each === 'string') : []);
      const { claimed, owners } = found;
      const told = [`${claimed.volume.metadata.name} is ${claimed.handle} in ${found.zone}, ${claimed.sizeGiB} GiB, reclaim policy ${claimed.policy}${claimed.policy === 'Retain' ? '' : ' (will be Retain meanwhile)'}`, ...owners.map((owner) => `${owner.name} will be paused`)];
      return [{ id: 'volume can be swapped', result: 'passed', detail: told.join('; ') }];
    } catch (error) {
      const early = ctx.stage === 'before' || ctx.stage === 'provisioned';
      if (!(error instanceof StepError) || !early || (error.code !== 'k8s-not-found' && error.code !== 'claim-not-bound')) throw error;
      return [{ id: 'volume can be swapped', result: 'deferred', detail: error.message }];
    }
  },
  async run({ kubernetes, aws, kind, name, claim, volume: to, pause = [], detachTimeout = defaultDetach, every = defaultEvery, ...more }, ctx) {
    const cluster = ctx.ports.kubernetes.cluster(kubernetes);
    const ec2 = ctx.ports.ec2.of(aws);
    const workload: WorkloadName = { kind, name, namespace: more.namespace ?? cluster.namespace };
    const found = await survey(cluster, ec2, workload, claim, pause);
    const { claimed, owners } = found;
    const volume = await volumeThere(ec2, to);
    checkNew(volume, found, ec2);
    const persistentVolume = `muster-${to}`;
    const before: Binding = {
      workload,
      replicas: replicasOf(found.workload),
      volume: volumeManifest(claimed.volume),
      claim: claimManifest(claimed.claim, claimed.volume.metadata.name),
      handle: claimed.handle,
      instead: { name: persistentVolume, handle: to },
      detachMs: parseDuration(detachTimeout),
      every,
    };
    const made = swappedManifests(claimed, { name: persistentVolume, handle: to, zone: found.zone, runId: ctx.runId });
    const after: Binding = { ...before, ...made, handle: to, instead: { name: claimed.volume.metadata.name, handle: claimed.handle } };
    // What the API server would reject is known before anything is touched.
    await cluster.create(after.volume, { dryRun: true });
    await ctx.defer({ uses: 'pv.swap/restore', with: { kubernetes, aws, before, policy: claimed.policy, pauses: owners.flatMap(({ pause: how }) => how ?? []) } });
    await pauseAll(cluster, owners, ctx);
    await rebind(cluster, ec2, after, ctx);
    const { attachments } = await untilVolume(ec2, to, 'in-use', every, ctx);
    await ctx.evidence('volume-swap', { connection: kubernetes, workload: `${kind} ${workload.namespace}/${name}`, claim: `${workload.namespace}/${claim}`, from: claimed.handle, to, snapshot: volume.snapshot, zone: volume.zone });
    return { from: claimed.handle, to, persistentVolume, instance: attachments[0]?.instance ?? '' };
  },
});

function isKind(kind: unknown): kind is WorkloadName['kind'] {
  return kind === 'Deployment' || kind === 'StatefulSet';
}
