import { Type } from 'typebox';
import { Check } from 'typebox/schema';
import type { KubernetesObject } from '../../../clients/kubernetes/port.js';

const Pod = Type.Object({
  metadata: Type.Object({ deletionTimestamp: Type.String(), deletionGracePeriodSeconds: Type.Optional(Type.Number()) }),
  spec: Type.Object({
    tolerations: Type.Optional(Type.Array(Type.Object({ key: Type.Optional(Type.String()), operator: Type.Optional(Type.String()), value: Type.Optional(Type.String()), effect: Type.Optional(Type.String()), tolerationSeconds: Type.Optional(Type.Number()) }))),
  }),
});
const Tainted = Type.Object({ spec: Type.Object({ taints: Type.Array(Type.Object({ key: Type.String(), value: Type.Optional(Type.String()), effect: Type.String(), timeAdded: Type.Optional(Type.String()) })) }) });
const Placed = Type.Object({ spec: Type.Object({ nodeName: Type.String() }) });
const Reported = Type.Object({ status: Type.Object({ conditions: Type.Array(Type.Object({ type: Type.String(), status: Type.String() })) }) });

/** Times of the API have whole seconds. */
const roundingMs = 1_000;

/**
 * Who deletes a pod of a node with a NoExecute taint: the control plane does, once the pod's toleration has run out by the cluster's own
 * clock. Earlier somebody else did. undefined: no taint explains it.
 */
export function taintThatEvicts(pod: KubernetesObject, node: KubernetesObject | undefined): string | undefined {
  if (node === undefined || !Check(Pod, pod) || !Check(Tainted, node)) return undefined;
  const { deletionTimestamp, deletionGracePeriodSeconds = 0 } = pod.metadata;
  const deletedAt = Date.parse(deletionTimestamp) - deletionGracePeriodSeconds * 1_000;
  const evicting = node.spec.taints.find((taint) => {
    if (taint.effect !== 'NoExecute') return false;
    const tolerating = (pod.spec.tolerations ?? []).filter(({ key, operator, value, effect }) => (key === undefined || key === taint.key) && (operator === 'Exists' || (value ?? '') === (taint.value ?? '')) && (effect === undefined || effect === '' || effect === taint.effect));
    if (tolerating.length === 0) return true;
    if (taint.timeAdded === undefined || tolerating.some(({ tolerationSeconds }) => tolerationSeconds === undefined)) return false;
    const seconds = Math.min(...tolerating.map(({ tolerationSeconds = 0 }) => tolerationSeconds));
    return deletedAt + roundingMs >= Date.parse(taint.timeAdded) + seconds * 1_000;
  });
  return evicting === undefined ? undefined : `taint eviction, node ${node.metadata.name} is ${evicting.key}`;
}

const Lifecycle = Type.Object({ spec: Type.Object({ unschedulable: Type.Optional(Type.Boolean()), taints: Type.Optional(Type.Array(Type.Object({ key: Type.String(), effect: Type.String() }))) }) });

/** Were only taints taken away that the node controller keeps, and whose cause is over? */
export function taintsFollow(before: KubernetesObject, after: KubernetesObject): boolean {
  if (!Check(Lifecycle, before) || !Check(Lifecycle, after)) return false;
  const { taints = [], unschedulable } = after.spec;
  const gone = (before.spec.taints ?? []).filter(({ key, effect }) => !taints.some((taint) => taint.key === key && taint.effect === effect));
  return gone.length > 0 && gone.every(({ key }) => (key === 'node.kubernetes.io/unschedulable' ? unschedulable !== true : /^node\.kubernetes\.io\/(not-ready|unreachable)$/.test(key) && isAlive(after)));
}

export function nodeNameOf(pod: KubernetesObject): string | undefined {
  return Check(Placed, pod) ? pod.spec.nodeName : undefined;
}

/** A node that is not watched is taken to live. */
export function isAlive(node: KubernetesObject | undefined): boolean {
  return !Check(Reported, node) || node.status.conditions.every(({ type, status }) => type !== 'Ready' || status === 'True');
}
