import { Type } from 'typebox';
import type { KubernetesCluster, KubernetesObject } from '../../../clients/kubernetes/port.js';
import { StepError } from '../../../engine/errors.js';
import { inWords } from '../../../engine/plannable.js';
import { Kubernetes, Namespace } from './inputs.js';

/** One pod by its name, or the first that runs of those with some labels. */
export const podInputs = {
  kubernetes: Kubernetes,
  namespace: Namespace,
  pod: Type.Optional(Type.String({ minLength: 1, description: 'Its name; or give `selector`' })),
  selector: Type.Optional(Type.String({ minLength: 1, description: 'Labels: of the pods that run, the first by name' })),
  container: Type.Optional(Type.String({ minLength: 1, description: 'Default: the only one, or the one that the pod names as its default' })),
};

export interface PodInput {
  readonly namespace?: string;
  readonly pod?: string;
  readonly selector?: string;
}

/** Throws StepError `k8s-not-found`, `bad-input`. */
export async function podOf(cluster: KubernetesCluster, { namespace, pod, selector }: PodInput): Promise<{ readonly name: string; readonly namespace?: string }> {
  if ((pod === undefined) === (selector === undefined)) throw new StepError('bad-input', 'give either `pod` or `selector`');
  const place = namespace === undefined ? {} : { namespace };
  if (pod !== undefined) return { name: pod, ...place };
  const { items } = await cluster.list({ kind: 'Pod', apiVersion: 'v1', ...place }, { labelSelector: selector ?? '' });
  const [first] = items.filter(runs).map(({ metadata }) => metadata.name).toSorted();
  if (first === undefined) throw new StepError('k8s-not-found', `no pod with ${selector} runs`, { retryable: true });
  return { name: first, ...place };
}

export function podInWords({ pod, selector }: { readonly pod?: unknown; readonly selector?: unknown }): string {
  return pod === undefined ? `a pod with ${inWords(selector)}` : `pod ${inWords(pod)}`;
}

function runs(pod: KubernetesObject): boolean {
  return pod.metadata.deletionTimestamp === undefined && (pod as { status?: { phase?: string } }).status?.phase === 'Running';
}
