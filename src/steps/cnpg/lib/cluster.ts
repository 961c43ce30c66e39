import type { KubernetesObject } from '../../../clients/kubernetes/port.js';

/** How a plain object is named to the API: CloudNativePG 1.30, group postgresql.cnpg.io/v1. */
export const clusters = { kind: 'clusters.postgresql.cnpg.io' } as const;
export const backups = { kind: 'backups.postgresql.cnpg.io' } as const;
export const objectStores = { kind: 'objectstores.barmancloud.cnpg.io' } as const;

export const healthyPhase = 'Cluster in healthy state';
/** What `targetPrimary` holds from the loss of the primary to the election of another one. */
const pendingTarget = 'pending';
const fencedAnnotation = 'cnpg.io/fencedInstances';
const hibernationAnnotation = 'cnpg.io/hibernation';

export interface Condition {
  readonly status: string;
  readonly reason: string;
  readonly message: string;
}

/** What a Cluster says of itself. Nothing here proves that SQL works. */
export interface ClusterFacts {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly revision: string;
  /** Asked for by its spec. */
  readonly instances: number;
  readonly ready: number;
  readonly phase: string | null;
  readonly phaseReason: string | null;
  readonly primary: string | null;
  /** null while a failover has not elected one. */
  readonly target: string | null;
  readonly timeline: number | null;
  readonly systemId: string | null;
  /** Pods that are ready, by name. */
  readonly healthy: readonly string[];
  /** What instances report of themselves. */
  readonly reported: ReadonlyMap<string, { readonly isPrimary: boolean; readonly timeline: number | null }>;
  readonly conditions: ReadonlyMap<string, Condition>;
  /** Names of instances, or `*` for all. */
  readonly fenced: readonly string[];
  readonly hibernated: boolean;
  /** As the operator and the instances wrote them, each by its own clock. */
  readonly stamps: Readonly<Record<string, string>>;
  readonly spec: Readonly<Record<string, unknown>>;
  readonly status: Readonly<Record<string, unknown>>;
}

/** Reads a Cluster; what it does not say is null or empty, never guessed. */
export function readCluster(object: KubernetesObject): ClusterFacts {
  const { metadata } = object;
  const spec = record(object['spec']);
  const status = record(object['status']);
  const target = text(status['targetPrimary']);
  const annotations = metadata.annotations ?? {};
  return {
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    uid: metadata.uid ?? '',
    revision: metadata.resourceVersion ?? '',
    instances: whole(spec['instances']) ?? 0,
    ready: whole(status['readyInstances']) ?? 0,
    phase: text(status['phase']),
    phaseReason: text(status['phaseReason']),
    primary: text(status['currentPrimary']),
    target: target === pendingTarget ? null : target,
    timeline: positive(status['timelineID']),
    systemId: text(status['systemID']),
    healthy: texts(record(status['instancesStatus'])['healthy']),
    reported: new Map(Object.entries(record(status['instancesReportedState'])).map(([name, state]) => [name, { isPrimary: record(state)['isPrimary'] === true, timeline: positive(record(state)['timeLineID']) }])),
    conditions: new Map(list(status['conditions']).map((condition) => [text(condition['type']) ?? '', { status: text(condition['status']) ?? '', reason: text(condition['reason']) ?? '', message: text(condition['message']) ?? '' }])),
    fenced: fencedOf(annotations[fencedAnnotation]),
    hibernated: annotations[hibernationAnnotation] === 'on',
    stamps: Object.fromEntries(['currentPrimaryTimestamp', 'targetPrimaryTimestamp', 'currentPrimaryFailingSinceTimestamp'].flatMap((name) => (typeof status[name] === 'string' && status[name] !== '' ? [[name, status[name]]] : []))),
    spec,
    status,
  };
}

/** `cluster shop/orders`. */
export function nameOf({ namespace, name }: Pick<ClusterFacts, 'namespace' | 'name'>): string {
  return `cluster ${namespace}/${name}`;
}

/** One line for logs and messages: what a Cluster says, without judging it. */
export function inShort(facts: ClusterFacts): string {
  const reason = facts.phaseReason === null ? '' : ` (${facts.phaseReason})`;
  return `${facts.phase ?? 'no phase'}${reason}; primary ${facts.primary ?? 'none'}, target ${facts.target ?? 'none'}, ${facts.ready} of ${facts.instances} instances ready, timeline ${facts.timeline ?? 'unknown'}`;
}

/** The annotation's value with one instance more; undefined when it is in it already. */
export function withFence(facts: ClusterFacts, instance: string): Record<string, string> | undefined {
  if (facts.fenced.includes(instance) || facts.fenced.includes('*')) return undefined;
  return { [fencedAnnotation]: JSON.stringify([...facts.fenced, instance].sort()) };
}

/** And with one less; null takes the annotation away, undefined: it was not in it. */
export function withoutFence(facts: ClusterFacts, instance: string): Record<string, string | null> | undefined {
  if (!facts.fenced.includes(instance)) return undefined;
  const rest = facts.fenced.filter((name) => name !== instance);
  return { [fencedAnnotation]: rest.length === 0 ? null : JSON.stringify(rest) };
}

function fencedOf(annotation: string | undefined): string[] {
  if (annotation === undefined || annotation === '') return [];
  try {
    return texts(JSON.parse(annotation));
  } catch {
    // The operator refuses to work with it; so do we.
    return ['*'];
  }
}

export function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}

export function list(value: unknown): readonly Readonly<Record<string, unknown>>[] {
  return Array.isArray(value) ? value.map(record) : [];
}

export function text(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : [];
}

function whole(value: unknown): number | null {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 ? value : null;
}

function positive(value: unknown): number | null {
  const found = whole(value);
  return found === null || found === 0 ? null : found;
}
