import type { KubernetesRight } from '../../../engine/permission.js';
import { knownText } from '../../../engine/plannable.js';
import { rightOf } from '../../k8s/lib/declare.js';
import { pausable, type Pausable } from './owners.js';

/** What is patched to pause each. Flux lets a workload be managed from any namespace: its rules stand for the connection's own. */
const pausing: Readonly<Record<Pausable, readonly { readonly kind: string; readonly namespace?: string }[]>> = {
  hpa: [],
  keda: [{ kind: 'scaledobjects.keda.sh' }],
  argocd: [{ kind: 'applications.argoproj.io', namespace: 'argocd' }],
  flux: [{ kind: 'kustomizations.kustomize.toolkit.fluxcd.io' }, { kind: 'helmreleases.helm.toolkit.fluxcd.io' }],
};

/** The rules of a Role and a ClusterRole for one swap. A volume object has a name of its own each time. */
export function swapRights({ kubernetes, namespace, kind, name, claim, pause }: { readonly pause?: unknown; readonly kubernetes?: unknown; readonly namespace?: unknown; readonly kind?: unknown; readonly name?: unknown; readonly claim?: unknown }): KubernetesRight[] {
  const workload = { kubernetes, namespace, kind: knownText(kind) ?? 'Deployment', name };
  const claims = { kubernetes, namespace, kind: 'PersistentVolumeClaim', name: claim };
  const volumes = { kubernetes, kind: 'PersistentVolume' };
  const paused = pausable.filter((by) => Array.isArray(pause) && pause.includes(by));
  return [
    rightOf(workload, ['get']),
    rightOf(workload, ['list', 'watch'], { named: false }),
    rightOf(workload, ['get', 'patch'], { subresource: 'scale' }),
    rightOf({ kubernetes, namespace, kind: 'Pod' }, ['list', 'watch']),
    rightOf({ kubernetes, namespace, kind: 'HorizontalPodAutoscaler' }, ['list']),
    rightOf({ kubernetes, namespace, kind: 'scaledobjects.keda.sh' }, ['list']),
    ...paused.flatMap((by) => pausing[by].map((what) => rightOf({ kubernetes, ...(by === 'keda' ? { namespace } : {}), ...what }, ['get', 'patch']))),
    rightOf(claims, ['get', 'delete']),
    rightOf(claims, ['create', 'list', 'watch'], { named: false }),
    rightOf(volumes, ['get', 'list', 'watch', 'create', 'patch', 'delete']),
    rightOf({ kubernetes, kind: 'VolumeAttachment' }, ['list', 'watch']),
  ];
}
