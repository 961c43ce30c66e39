import { Type } from 'typebox';
import { Check } from 'typebox/schema';
import type { KubernetesObject } from '../../../clients/kubernetes/port.js';

const Attachment = Type.Object({ spec: Type.Object({ nodeName: Type.String(), source: Type.Object({ persistentVolumeName: Type.String() }) }) });
const Claimed = Type.Object({ spec: Type.Object({ claimRef: Type.Object({ namespace: Type.String(), name: Type.String() }) }) });
const Mounting = Type.Object({
  spec: Type.Object({ nodeName: Type.String(), volumes: Type.Array(Type.Object({ persistentVolumeClaim: Type.Optional(Type.Object({ claimName: Type.String() })) })) }),
  status: Type.Object({ phase: Type.Optional(Type.String()) }),
});

/**
 * Who deletes the attachment of a volume that no pod of its node uses any more. A volume that is not watched is outside the boundary, and so is
 * what is done to it. undefined: a pod uses it. One that is to go does not: it is detached once its kubelet has unmounted it, and the pod is there
 * for some seconds more.
 */
export function controllerThatDetaches(attachment: KubernetesObject, objects: readonly KubernetesObject[]): string | undefined {
  if (attachment.kind !== 'VolumeAttachment' || !Check(Attachment, attachment)) return undefined;
  const { nodeName, source } = attachment.spec;
  const volume = objects.find(({ kind, metadata }) => kind === 'PersistentVolume' && metadata.name === source.persistentVolumeName);
  if (volume === undefined) return `attach and detach controller, ${source.persistentVolumeName} is outside the boundary`;
  if (!Check(Claimed, volume)) return `attach and detach controller, ${source.persistentVolumeName} is claimed by nobody`;
  const { namespace, name } = volume.spec.claimRef;
  const inUse = objects.some((pod) => pod.kind === 'Pod' && pod.metadata.namespace === namespace && Check(Mounting, pod) && pod.spec.nodeName === nodeName && pod.status.phase !== 'Succeeded' && pod.status.phase !== 'Failed' && pod.metadata.deletionTimestamp === undefined && pod.spec.volumes.some(({ persistentVolumeClaim }) => persistentVolumeClaim?.claimName === name));
  return inUse ? undefined : `attach and detach controller, no pod of ${nodeName} uses ${source.persistentVolumeName}`;
}
