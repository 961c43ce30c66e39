import type { KubernetesRight } from '../../../engine/define-step.js';
import { knownText } from '../../../engine/plannable.js';
import { rightOf } from '../../k8s/lib/declare.js';

/** The rules of a Role and a ClusterRole for one swap. A volume object has a name of its own each time. */
export function swapRights({ kubernetes, namespace, kind, name, claim }: { readonly kubernetes?: unknown; readonly namespace?: unknown; readonly kind?: unknown; readonly name?: unknown; readonly claim?: unknown }): KubernetesRight[] {
  const workload = { kubernetes, namespace, kind: knownText(kind) ?? 'Deployment', name };
  const claims = { kubernetes, namespace, kind: 'PersistentVolumeClaim', name: claim };
  const volumes = { kubernetes, kind: 'PersistentVolume' };
  return [
    rightOf(workload, ['get', 'list', 'watch']),
    rightOf(workload, ['get', 'patch'], { subresource: 'scale' }),
    rightOf({ kubernetes, namespace, kind: 'Pod' }, ['list', 'watch']),
    rightOf({ kubernetes, namespace, kind: 'HorizontalPodAutoscaler' }, ['list']),
    rightOf(claims, ['get', 'list', 'watch', 'delete']),
    rightOf(claims, ['create'], { named: false }),
    rightOf(volumes, ['get', 'list', 'watch', 'create', 'patch', 'delete']),
    rightOf({ kubernetes, kind: 'VolumeAttachment' }, ['list', 'watch']),
  ];
}
