import type { Ec2 } from '../../../clients/ec2/port.js';
import type { KubernetesCluster, Manifest } from '../../../clients/kubernetes/port.js';
import type { BaseContext } from '../../../engine/define-step.js';
import { StepError } from '../../../engine/errors.js';
import { askUntil } from '../../ec2/lib/ask.js';
import { textAt } from './fields.js';
import { untilNone, within } from './until.js';
import { start, stop, untilUnmounted, whileDown, type WorkloadName } from './workload.js';

/** What the claim is to lead to, as manifests, and whom it serves. JSON: the cleanup that puts the old volume back holds one. */
export interface Binding {
  readonly workload: WorkloadName;
  readonly replicas: number;
  readonly volume: Manifest;
  readonly claim: Manifest;
  /** EC2's name of the volume. */
  readonly handle: string;
  /** The volume object that the claim has otherwise: it goes. */
  readonly instead: { readonly name: string; readonly handle: string };
  /** How long pods and attachments may take to go. */
  readonly detachMs: number;
  readonly every: string;
}

type Ctx = Pick<BaseContext, 'signal' | 'clock' | 'log'>;

/**
 * Brings the claim to the volume from wherever a process left off: no pods, nothing attached, claim and old volume deleted (in this order), both made
 * anew, bound, pods back. What is as it should be is left as it is. Throws StepError `pods-remain`, `still-attached`, `not-retained`, `scaled-back-up`.
 */
export async function rebind(cluster: KubernetesCluster, ec2: Ec2, binding: Binding, ctx: Ctx): Promise<void> {
  const { workload, claim, volume } = binding;
  if (!(await isBoundTo(cluster, binding))) {
    await stop(cluster, workload);
    await whileDown(cluster, workload, ctx.signal, async (signal) => {
      await unmounted(cluster, binding, signal);
      const names = [binding.instead.name, volume.metadata.name];
      await refuseOther(cluster, binding, names);
      await detached(cluster, ec2, binding, names, { ...ctx, signal });
      for (const name of names) await retained(cluster, name);
      // The claim first: a volume whose claim is there stays in Terminating.
      await removed(cluster, { kind: 'PersistentVolumeClaim', namespace: workload.namespace, name: claim.metadata.name }, signal);
      for (const name of names) await removed(cluster, { kind: 'PersistentVolume', name }, signal);
      await cluster.create(volume);
      await cluster.create(claim);
      await bound(cluster, binding, signal);
      ctx.log(`claim ${workload.namespace}/${claim.metadata.name} is bound to ${volume.metadata.name} (${binding.handle})`);
    });
  }
  await start(cluster, workload, binding.replicas, ctx.signal);
}

async function isBoundTo(cluster: KubernetesCluster, { workload, claim, volume, handle }: Binding): Promise<boolean> {
  const [there, bound] = [await cluster.find(claimOf(workload, claim)), await cluster.find({ kind: 'PersistentVolume', name: volume.metadata.name })];
  if (there === undefined || bound === undefined || there.metadata.deletionTimestamp !== undefined || bound.metadata.deletionTimestamp !== undefined) return false;
  return textAt(there, 'status', 'phase') === 'Bound' && textAt(there, 'spec', 'volumeName') === volume.metadata.name && textAt(bound, 'spec', 'csi', 'volumeHandle') === handle && textAt(bound, 'spec', 'claimRef', 'uid') === there.metadata.uid;
}

const claimOf = ({ namespace }: WorkloadName, { metadata: { name } }: Manifest) => ({ kind: 'PersistentVolumeClaim', namespace, name });

/** Whoever gave the claim a third volume was not the drill, and what is in it is not the drill's to throw away. */
async function refuseOther(cluster: KubernetesCluster, { workload, claim }: Binding, known: readonly string[]): Promise<void> {
  const name = textAt(await cluster.find(claimOf(workload, claim)), 'spec', 'volumeName');
  if (name !== undefined && !known.includes(name)) throw new StepError('claim-changed', `the claim ${workload.namespace}/${claim.metadata.name} has the volume ${name}, which this drill did not give it`, { hint: 'Somebody else has changed it. Nothing was deleted.' });
}

async function unmounted(cluster: KubernetesCluster, { workload, claim, detachMs }: Binding, signal: AbortSignal): Promise<void> {
  let left: readonly string[] = [];
  const late = () => new StepError('pods-remain', `the ${left.length === 1 ? 'pod' : 'pods'} ${left.join(', ')} still hold the claim ${claim.metadata.name} after ${detachMs / 1000} s`, { hint: 'A pod that does not end, or one of another workload. Nothing was deleted.' });
  await within(detachMs, signal, late, (time) => untilUnmounted(cluster, workload, claim.metadata.name, time, (names) => (left = names)));
}

/** No VolumeAttachment, and EC2 says itself that nothing holds the volume: the one without the other is not enough. */
async function detached(cluster: KubernetesCluster, ec2: Ec2, { instead, handle, detachMs, every }: Binding, volumes: readonly string[], ctx: Ctx): Promise<void> {
  let left: readonly string[] = [];
  const held = new Set([instead.handle, handle]);
  const late = () =>
    new StepError('still-attached', left.length > 0 ? `the VolumeAttachment ${left.join(', ')} of ${volumes.join(', ')} is still there after ${detachMs / 1000} s` : `EC2 still says that ${[...held].join(' and ')} is in use after ${detachMs / 1000} s`, {
      hint: 'The CSI driver could not detach it. After an unclean unmount Kubernetes itself waits six minutes before it forces that. Nothing was deleted.',
    });
  await within(detachMs, ctx.signal, late, async (signal) => {
    await untilNone(cluster, { kind: 'VolumeAttachment' }, {}, (attachment) => volumes.includes(textAt(attachment, 'spec', 'source', 'persistentVolumeName') ?? ''), signal, (names) => (left = names));
    for (const id of held) {
      await askUntil(async () => ((await ec2.volume(id))?.attachments.some(({ state }) => state !== 'detached') === true ? undefined : true), every, { ...ctx, signal });
      held.delete(id);
    }
  });
}

/** Reads the policy back: with any other than Retain the next call would delete the data. */
async function retained(cluster: KubernetesCluster, name: string): Promise<void> {
  const found = await cluster.find({ kind: 'PersistentVolume', name });
  if (found === undefined) return;
  if (textAt(found, 'spec', 'persistentVolumeReclaimPolicy') !== 'Retain') await cluster.patch({ kind: 'PersistentVolume', name }, { spec: { persistentVolumeReclaimPolicy: 'Retain' } });
  const policy = textAt(await cluster.get({ kind: 'PersistentVolume', name }), 'spec', 'persistentVolumeReclaimPolicy');
  if (policy !== 'Retain') throw new StepError('not-retained', `the volume ${name} keeps the reclaim policy ${policy ?? 'Delete'}, though Retain was asked for: deleting its claim would delete the data`, { hint: 'Something in the cluster changes it back (a webhook, a controller). Nothing was deleted.' });
}

async function removed(cluster: KubernetesCluster, reference: { readonly kind: string; readonly namespace?: string; readonly name: string }, signal: AbortSignal): Promise<void> {
  const found = await cluster.find(reference);
  if (found === undefined) return;
  const { uid } = found.metadata;
  if (found.metadata.deletionTimestamp === undefined) await cluster.delete(reference, uid === undefined ? {} : { uid });
  await cluster.until(reference, (object) => (object === undefined || object.metadata.uid !== uid ? true : undefined), signal);
}

async function bound(cluster: KubernetesCluster, { workload, claim, volume }: Binding, signal: AbortSignal): Promise<void> {
  await cluster.until(claimOf(workload, claim), (object) => {
    if (textAt(object, 'status', 'phase') === 'Lost') throw new StepError('claim-lost', `the claim ${workload.namespace}/${claim.metadata.name} lost its volume`);
    return textAt(object, 'status', 'phase') === 'Bound' && textAt(object, 'spec', 'volumeName') === volume.metadata.name ? true : undefined;
  }, signal);
}
