import type { AccessQuestion, KubernetesCluster } from '../../../clients/kubernetes/port.js';
import type { KubernetesRight, PreflightCheck } from '../../../engine/define-step.js';
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

/** Asks the API server for each of them. */
export async function missingRights(cluster: KubernetesCluster, namespace: string, kind: string, name: string): Promise<PreflightCheck> {
  const workloads = kind === 'StatefulSet' ? 'statefulsets' : 'deployments';
  const ask = (group: string, resource: string, verbs: readonly string[], of: { readonly namespace?: string; readonly name?: string } = {}): AccessQuestion[] => verbs.map((verb) => ({ verb, group, resource, ...of }));
  const denied = await cluster.denied([
    ...ask('apps', workloads, ['get', 'list', 'watch'], { namespace, name }),
    ...ask('apps', `${workloads}/scale`, ['get', 'patch'], { namespace, name }),
    ...ask('', 'pods', ['list', 'watch'], { namespace }),
    ...ask('autoscaling', 'horizontalpodautoscalers', ['list'], { namespace }),
    ...ask('', 'persistentvolumeclaims', ['create'], { namespace }),
    ...ask('', 'persistentvolumes', ['get', 'list', 'watch', 'create', 'patch', 'delete']),
    ...ask('storage.k8s.io', 'volumeattachments', ['list', 'watch']),
  ]);
  const id = 'rights in the cluster';
  if (denied.length === 0) return { id, result: 'passed', detail: 'the API server would let each call through' };
  return { id, result: 'failed', detail: denied.map(({ question: { verb, group, resource } }) => `${verb} ${resource}${group === '' ? '' : `.${group}`}`).join(', ') };
}
