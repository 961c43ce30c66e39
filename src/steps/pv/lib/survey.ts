import type { Ec2, Volume } from '../../../clients/ec2/port.js';
import type { KubernetesCluster, KubernetesObject } from '../../../clients/kubernetes/port.js';
import { StepError } from '../../../engine/errors.js';
import { volumeThere } from '../../ec2/lib/volumes.js';
import { readClaim, type Claimed } from './claim.js';
import { ownersOf, refuseUnpaused, withWhatStood, type Owner } from './owners.js';
import { isOf, mounts, referenceOf, replicasOf, uses, type WorkloadName } from './workload.js';

/** What a swap needs to know before it does anything. */
export interface Survey {
  readonly workload: KubernetesObject;
  readonly claimed: Claimed;
  readonly owners: readonly Owner[];
  readonly zone: string;
}

/**
 * Every precondition that the cluster and EC2 can answer; throws the first that does not hold: StepError `workload-at-rest`, `claim-of-another`, `claim-in-use-by-others`, `cnpg-owned`, `operator-owned`,
 * `not-paused`, `not-ebs`, `claim-not-bound`, `zone-differs`.
 */
export async function survey(cluster: KubernetesCluster, ec2: Ec2, name: WorkloadName, claim: string, pause: readonly string[]): Promise<Survey> {
  const workload = await cluster.get(referenceOf(name));
  if (replicasOf(workload) === 0) throw new StepError('workload-at-rest', `${name.kind} ${name.namespace}/${name.name} is asked for no pods: nothing would mount the volume`);
  const claimed = await readClaim(cluster, name.namespace, claim);
  const named = await ownersOf(cluster, workload, claimed.claim);
  if (!uses(workload, claim)) throw new StepError('claim-of-another', `${name.kind} ${name.namespace}/${name.name} does not ask for the claim ${claim}`);
  const { items } = await cluster.list({ kind: 'Pod', namespace: name.namespace });
  const strangers = items.filter((pod) => mounts(pod, claim) && !isOf(workload, pod)).map(({ metadata }) => metadata.name);
  if (strangers.length > 0) throw new StepError('claim-in-use-by-others', `the claim ${claim} is also mounted by ${strangers.join(', ')}`, { hint: 'Stop what else uses it: a volume is swapped below nobody.' });
  refuseUnpaused(named, pause);
  const owners = await withWhatStood(cluster, named);
  // Whether they may be looked at at all is known before anything is stopped.
  await cluster.list({ kind: 'VolumeAttachment' });
  const { zone } = await volumeThere(ec2, claimed.handle);
  if (claimed.zone !== null && claimed.zone !== zone) throw new StepError('zone-differs', `the volume ${claimed.volume.metadata.name} says that it is in ${claimed.zone}, EC2 says that ${claimed.handle} is in ${zone}`);
  return { workload, claimed, owners, zone };
}

/** Throws StepError `wrong-zone`, `too-small`, `volume-not-available`, `outside-boundary`. */
export function checkNew(volume: Volume, { claimed, zone }: Survey, { details }: Pick<Ec2, 'details'>): void {
  if (volume.id === claimed.handle) throw new StepError('same-volume', `the claim has the volume ${volume.id} already`);
  if (volume.zone !== zone) throw new StepError('wrong-zone', `the volume ${volume.id} is in ${volume.zone}, the nodes that may mount the claim are in ${zone}`, { hint: 'Make it from the snapshot in that zone.' });
  if (volume.sizeGiB < claimed.sizeGiB) throw new StepError('too-small', `the volume ${volume.id} has ${volume.sizeGiB} GiB, the claim ${claimed.sizeGiB}`);
  if (volume.state !== 'available') throw new StepError('volume-not-available', `the volume ${volume.id} is ${volume.state}`, { retryable: volume.state === 'creating' });
  if (volume.tags[details.tag.key] !== details.tag.value) throw new StepError('outside-boundary', `the volume ${volume.id} does not bear the tag ${details.tag.key}=${details.tag.value} of what drills may use`);
}
