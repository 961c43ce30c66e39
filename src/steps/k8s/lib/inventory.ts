import type { KubernetesCluster, KubernetesObject } from '../../../clients/kubernetes/port.js';
import { canonicalJson, sha256 } from '../../../engine/canonical.js';
import type { EvidenceOf } from '../../../engine/kinds/index.js';
import { authored } from './merge.js';

export type InventoryObject = EvidenceOf<'namespace-inventory'>['objects'][number];

/** What a namespace is made of. Pods, replica sets and whatever else a controller makes of these are left out. */
export const inventoryKinds = [
  'Deployment.apps', 'StatefulSet.apps', 'DaemonSet.apps', 'CronJob.batch', 'Job.batch', 'HorizontalPodAutoscaler.autoscaling', 'PodDisruptionBudget.policy',
  'Secret', 'ConfigMap', 'Service', 'Ingress.networking.k8s.io', 'PersistentVolumeClaim',
] as const;

interface Fields {
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly data?: Readonly<Record<string, unknown>>;
  readonly binaryData?: Readonly<Record<string, unknown>>;
  readonly type?: string;
  readonly status?: { readonly readyReplicas?: number; readonly numberReady?: number; readonly desiredNumberScheduled?: number; readonly phase?: string; readonly capacity?: { readonly storage?: string } };
}

/** Every object of these kinds, read in pieces so that no more than a few hundred are held at once. Sorted by name. */
export async function takeInventory(cluster: KubernetesCluster, namespace: string | undefined, kinds: readonly string[]): Promise<InventoryObject[]> {
  const found = await Promise.all(
    kinds.map(async (kind) => {
      const objects: InventoryObject[] = [];
      for await (const page of cluster.pages({ kind, ...(namespace === undefined ? {} : { namespace }) })) objects.push(...page.filter(isOwn).map(recorded));
      return objects;
    }),
  );
  return found.flat().toSorted((a, b) => (a.object < b.object ? -1 : 1));
}

/** Neither made by a controller from something else, nor put into every namespace by the cluster. */
function isOwn({ kind, metadata, ...fields }: KubernetesObject): boolean {
  if (metadata.ownerReferences?.some(({ controller }) => controller === true) === true) return false;
  if (kind === 'ConfigMap' && metadata.name === 'kube-root-ca.crt') return false;
  return !(kind === 'Secret' && (fields as Fields).type === 'kubernetes.io/service-account-token');
}

/** What is kept of an object. No value of a Secret goes into it, nor into its digest. */
export function recorded(object: KubernetesObject): InventoryObject {
  const { data, binaryData, type, spec = {}, status = {} } = object as Fields;
  const name = `${object.kind.toLowerCase()} ${object.metadata.name}`;
  const keys = [...Object.keys(data ?? {}), ...Object.keys(binaryData ?? {})].toSorted();
  if (object.kind === 'Secret') return { object: name, digest: sha256(canonicalJson({ type: type ?? null, keys })), keys };
  const wanted = status.desiredNumberScheduled ?? (typeof spec['replicas'] === 'number' ? spec['replicas'] : undefined);
  return {
    object: name,
    digest: sha256(canonicalJson(content(object))),
    ...(object.kind === 'ConfigMap' ? { keys } : {}),
    ...(wanted === undefined ? {} : { replicas: { wanted, ready: status.readyReplicas ?? status.numberReady ?? 0 } }),
    ...(object.kind === 'PersistentVolumeClaim' ? { volume: { phase: status.phase ?? 'Unknown', storage: status.capacity?.storage ?? null } } : {}),
  };
}

/** What would be the same in another place: without status, identity, and what the cluster assigns. */
function content(object: KubernetesObject): unknown {
  const { apiVersion: _version, metadata, ...rest } = authored(object);
  const { name: _name, namespace: _namespace, annotations, finalizers: _finalizers, ownerReferences: _owners, ...kept } = (metadata ?? {}) as Record<string, unknown>;
  const said = Object.entries((annotations ?? {}) as Record<string, string>).filter(([key]) => !assigned.test(key));
  return { ...rest, metadata: { ...kept, annotations: Object.fromEntries(said) }, spec: without(rest['spec'], object.kind) };
}

const assigned = /^(kubectl\.kubernetes\.io\/last-applied-configuration|deployment\.kubernetes\.io\/revision|pv\.kubernetes\.io\/|volume\.(beta\.)?kubernetes\.io\/|control-plane\.alpha\.kubernetes\.io\/)/;

const assignedFields: Readonly<Record<string, readonly string[]>> = { Service: ['clusterIP', 'clusterIPs', 'healthCheckNodePort'], PersistentVolumeClaim: ['volumeName'], Job: ['selector'] };

function without(spec: unknown, kind: string): unknown {
  if (typeof spec !== 'object' || spec === null) return null;
  const fields = Object.entries(spec as Readonly<Record<string, unknown>>).filter(([name]) => assignedFields[kind]?.includes(name) !== true);
  if (kind !== 'Service') return Object.fromEntries(fields);
  return Object.fromEntries(fields.map(([name, value]) => [name, name === 'ports' && Array.isArray(value) ? value.map((port: unknown) => (typeof port === 'object' && port !== null ? { ...port, nodePort: null } : port)) : value]));
}

export function countsOf(objects: readonly InventoryObject[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { object } of objects) {
    const kind = object.slice(0, object.indexOf(' '));
    counts[kind] = (counts[kind] ?? 0) + 1;
  }
  return counts;
}

export interface Expected {
  readonly object: string;
  readonly digest?: string;
}

/** The objects by which two inventories differ. Without a digest it is enough that the object is there. */
export function compareInventory(found: readonly InventoryObject[], expected: readonly Expected[], extra: 'refuse' | 'allow'): NonNullable<EvidenceOf<'namespace-inventory'>['compared']> {
  const there = new Map(found.map((each) => [each.object, each.digest]));
  const wanted = new Set(expected.map(({ object }) => object));
  return {
    expected: expected.length,
    missing: expected.filter(({ object }) => !there.has(object)).map(({ object }) => object),
    changed: expected.filter(({ object, digest }) => digest !== undefined && there.has(object) && there.get(object) !== digest).map(({ object }) => object),
    added: extra === 'allow' ? [] : [...there.keys()].filter((object) => !wanted.has(object)),
  };
}
