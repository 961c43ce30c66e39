import type { KubernetesCluster, KubernetesObject, Reference } from '../../../clients/kubernetes/port.js';
import { StepError } from '../../../engine/errors.js';
import { at, listAt, numberAt, recordAt, textAt } from './fields.js';
import { untilNone } from './until.js';

export const workloadKinds = ['Deployment', 'StatefulSet'] as const;
export type WorkloadKind = (typeof workloadKinds)[number];

export interface WorkloadName {
  readonly kind: WorkloadKind;
  readonly name: string;
  readonly namespace: string;
}

export function referenceOf({ kind, name, namespace }: WorkloadName): Reference {
  return { kind, apiVersion: 'apps/v1', name, namespace };
}

export function replicasOf(workload: KubernetesObject | undefined): number {
  return workload === undefined ? 0 : (numberAt(workload, 'spec', 'replicas') ?? 1);
}

/** Does the workload's own template ask for the claim? A StatefulSet's claims are named `<template>-<name>-<ordinal>`. */
export function uses(workload: KubernetesObject, claim: string): boolean {
  if (listAt(workload, 'spec', 'template', 'spec', 'volumes').some((volume) => textAt(volume, 'persistentVolumeClaim', 'claimName') === claim)) return true;
  return listAt(workload, 'spec', 'volumeClaimTemplates').some((template) => {
    const prefix = `${textAt(template, 'metadata', 'name')}-${workload.metadata.name}-`;
    return claim.startsWith(prefix) && /^\d+$/.test(claim.slice(prefix.length));
  });
}

/** A pod that has the claim mounted or is about to; one that is over has let go of it. */
export function mounts(pod: KubernetesObject, claim: string): boolean {
  const phase = textAt(pod, 'status', 'phase');
  return phase !== 'Succeeded' && phase !== 'Failed' && listAt(pod, 'spec', 'volumes').some((volume) => textAt(volume, 'persistentVolumeClaim', 'claimName') === claim);
}

/** By its selector's labels. */
export function isOf(workload: KubernetesObject, pod: KubernetesObject): boolean {
  const labels = Object.entries(recordAt(workload, 'spec', 'selector', 'matchLabels'));
  return labels.length > 0 && labels.every(([key, value]) => pod.metadata.labels?.[key] === value);
}

/** Asks for no pods. */
export async function stop(cluster: KubernetesCluster, workload: WorkloadName): Promise<void> {
  if (replicasOf(await cluster.find(referenceOf(workload))) > 0) await cluster.scale(referenceOf(workload), 0);
}

/** Waits until no pod has the claim any more. */
export async function untilUnmounted(cluster: KubernetesCluster, { namespace }: WorkloadName, claim: string, signal: AbortSignal, left: (pods: readonly string[]) => void): Promise<void> {
  await untilNone(cluster, { kind: 'Pod', namespace }, {}, (pod) => mounts(pod, claim), signal, left);
}

/** Asks for `replicas`, and waits until so many are ready, as the workload's own controller says of what it has seen last. */
export async function start(cluster: KubernetesCluster, workload: WorkloadName, replicas: number, signal: AbortSignal): Promise<void> {
  const reference = referenceOf(workload);
  if (replicasOf(await cluster.find(reference)) !== replicas) await cluster.scale(reference, replicas);
  await cluster.until(reference, (found) => {
    if (found === undefined) throw new StepError('workload-gone', `${workload.kind} ${workload.namespace}/${workload.name} is gone`);
    const seen = (numberAt(found, 'status', 'observedGeneration') ?? 0) >= (found.metadata.generation ?? 0);
    return seen && replicasOf(found) === replicas && (numberAt(found, 'status', 'readyReplicas') ?? 0) >= replicas ? true : undefined;
  }, signal);
}

/** While `work` goes on the workload must stay at no pods: StepError `scaled-back-up` as soon as somebody asks for some. */
export async function whileDown<T>(cluster: KubernetesCluster, workload: WorkloadName, signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const over = new AbortController();
  const both = AbortSignal.any([signal, over.signal]);
  const raised = cluster.until(referenceOf(workload), (found) => (replicasOf(found) > 0 ? { found } : undefined), both).then(async ({ found }): Promise<never> => {
    const who = await lastWriter(cluster, workload).catch(() => undefined);
    throw new StepError('scaled-back-up', `${workload.kind} ${workload.namespace}/${workload.name} was asked for ${replicasOf(found)} pods again while its volume was being swapped${who === undefined ? '' : `; its replicas were last written by ${who}`}`, {
      hint: 'An autoscaler, an operator or a GitOps controller works against the drill: pause it first (`pause`).',
    });
  });
  const working = work(both);
  try {
    return await Promise.race([working, raised]);
  } finally {
    over.abort(new Error('the volume is swapped'));
    await Promise.allSettled([working, raised]);
  }
}

/** The manager of `spec.replicas`; managedFields know seconds, and only who wrote last. */
async function lastWriter(cluster: KubernetesCluster, workload: WorkloadName): Promise<string | undefined> {
  const { metadata } = await cluster.get(referenceOf(workload), { managedFields: true });
  const writers = (metadata.managedFields ?? []).filter((entry) => at(entry, 'fieldsV1', 'f:spec', 'f:replicas') !== undefined);
  return writers.toSorted((a, b) => Date.parse(b.time ?? '') - Date.parse(a.time ?? ''))[0]?.manager;
}
