import type { KubernetesCluster, KubernetesObject, Manifest } from '../../../clients/kubernetes/port.js';
import { StepError } from '../../../engine/errors.js';
import { runLabel, runMark } from '../../../engine/mark.js';
import { gibOf, listAt, recordAt, textAt } from './fields.js';

export const ebsDriver = 'ebs.csi.aws.com';
const zoneLabels = ['topology.kubernetes.io/zone', 'topology.ebs.csi.aws.com/zone'];

/** A bound claim and the EBS volume behind it. */
export interface Claimed {
  readonly claim: KubernetesObject;
  readonly volume: KubernetesObject;
  /** `vol-...` */
  readonly handle: string;
  readonly fsType: string | null;
  readonly sizeGiB: number;
  readonly policy: string;
  /** From the volume's node affinity; null where it has none. */
  readonly zone: string | null;
}

/** Throws StepError `claim-not-bound`, `not-ebs`, `not-one-zone`, and `k8s-not-found`. */
export async function readClaim(cluster: KubernetesCluster, namespace: string, name: string): Promise<Claimed> {
  const claim = await cluster.get({ kind: 'PersistentVolumeClaim', namespace, name });
  const volumeName = textAt(claim, 'spec', 'volumeName');
  if (textAt(claim, 'status', 'phase') !== 'Bound' || volumeName === undefined) throw new StepError('claim-not-bound', `the claim ${namespace}/${name} is ${textAt(claim, 'status', 'phase') ?? 'not bound'}`, { retryable: true });
  const volume = await cluster.get({ kind: 'PersistentVolume', name: volumeName });
  const handle = textAt(volume, 'spec', 'csi', 'volumeHandle');
  if (textAt(volume, 'spec', 'csi', 'driver') !== ebsDriver || handle === undefined) {
    throw new StepError('not-ebs', `the volume ${volumeName} of claim ${namespace}/${name} is not one of ${ebsDriver}`, { hint: 'Only volumes of the EBS CSI driver can be swapped; volumes of the in-tree plug-in are migrated first.' });
  }
  const sizeGiB = gibOf(textAt(volume, 'spec', 'capacity', 'storage'));
  if (sizeGiB === undefined) throw new StepError('not-ebs', `the volume ${volumeName} does not say how large it is`);
  return { claim, volume, handle, fsType: textAt(volume, 'spec', 'csi', 'fsType') ?? null, sizeGiB, policy: textAt(volume, 'spec', 'persistentVolumeReclaimPolicy') ?? 'Retain', zone: zoneOf(volume) };
}

function zoneOf(volume: KubernetesObject): string | null {
  const terms = listAt(volume, 'spec', 'nodeAffinity', 'required', 'nodeSelectorTerms');
  const zones = terms.flatMap((term) => listAt(term, 'matchExpressions').filter((expression) => zoneLabels.includes(textAt(expression, 'key') ?? '')).flatMap((expression) => listAt(expression, 'values')));
  const [zone, ...others] = new Set(zones.filter((value) => typeof value === 'string'));
  if (others.length > 0) throw new StepError('not-one-zone', `the volume ${volume.metadata.name} says that it is in several zones`);
  return zone ?? null;
}

/** Where a volume of that zone can be mounted. The older label is kept where the volume before had it. */
export function affinityOf(before: KubernetesObject, zone: string): Readonly<Record<string, unknown>> {
  const given = recordAt(before, 'spec', 'nodeAffinity');
  if (Object.keys(given).length > 0) return given;
  return { required: { nodeSelectorTerms: [{ matchExpressions: [{ key: zoneLabels[0], operator: 'In', values: [zone] }] }] } };
}

/** What the controllers write there when they bind, which makes a claim or a volume look bound that is not. */
const bindingNotes = /^(pv\.kubernetes\.io\/(bind-completed|bound-by-controller|migrated-to)|volume\.kubernetes\.io\/selected-node)$/;

function metaOf({ metadata: { name, namespace, labels, annotations, ownerReferences } }: KubernetesObject): Manifest['metadata'] {
  const kept = Object.fromEntries(Object.entries(annotations ?? {}).filter(([key]) => !bindingNotes.test(key)));
  return {
    name,
    ...(namespace === undefined ? {} : { namespace }),
    ...(labels === undefined ? {} : { labels }),
    ...(Object.keys(kept).length === 0 ? {} : { annotations: kept }),
    ...(ownerReferences === undefined ? {} : { ownerReferences }),
  };
}

/** The volume as it can be made again for the same claim. Always with the policy Retain: nothing that goes wrong deletes data. */
export function volumeManifest(volume: KubernetesObject): Manifest {
  const { claimRef: _bound, ...spec } = recordAt(volume, 'spec');
  const { namespace, name } = recordAt(volume, 'spec', 'claimRef');
  return { apiVersion: 'v1', kind: 'PersistentVolume', metadata: metaOf(volume), spec: { ...spec, persistentVolumeReclaimPolicy: 'Retain', claimRef: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace, name } } };
}

/** The claim as it can be made again for the volume of that name. */
export function claimManifest(claim: KubernetesObject, volumeName: string): Manifest {
  const { dataSource: _source, dataSourceRef: _sourceRef, ...spec } = recordAt(claim, 'spec');
  return { apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: metaOf(claim), spec: { ...spec, volumeName } };
}

/** Both with the label of the run; the volume of another name leads to `handle`. */
export function swappedManifests({ claim, volume }: Claimed, { name, handle, zone, runId }: { readonly name: string; readonly handle: string; readonly zone: string; readonly runId: string }): { readonly volume: Manifest; readonly claim: Manifest } {
  const mark = { [runLabel]: runMark(runId) };
  const before = volumeManifest(volume);
  // The provisioner deletes only what it made itself; this volume is the drill's.
  const csi = { ...recordAt(before, 'spec', 'csi'), volumeHandle: handle };
  const claimAgain = claimManifest(claim, name);
  return {
    volume: { ...before, metadata: { name, labels: { ...volume.metadata.labels, ...mark } }, spec: { ...recordAt(before, 'spec'), csi, nodeAffinity: affinityOf(volume, zone) } },
    claim: { ...claimAgain, metadata: { ...claimAgain.metadata, labels: { ...claim.metadata.labels, ...mark } } },
  };
}
