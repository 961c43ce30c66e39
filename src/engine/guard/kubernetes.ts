import { GuardError } from '../errors.js';
import type { Target } from '../scope.js';

/** One cluster of `boundary.kubernetes`. */
export interface KubernetesBoundary {
  readonly context: string;
  readonly server?: string;
  readonly uid?: string;
  readonly namespaces: readonly string[];
  /** `nodes`: every one; `persistentvolumes/pv-1`, `persistentvolumes/muster-*`: those. */
  readonly cluster: readonly string[];
}

export type KubernetesTarget = Extract<Target, { kind: 'kubernetes' }>;

/** `why` it is refused and the line of the environment that would allow it; undefined: it is inside. */
export interface Outside {
  readonly why: string;
  readonly allow: readonly string[];
}

/**
 * Context, server and identity must be those of one entry, and the namespace or the cluster-scoped object must be named in it. To
 * list a cluster-scoped kind it is enough that objects of it are named; whatever alters needs the object's own name. A namespace that
 * is named may itself be read.
 */
export function outsideKubernetes(boundary: readonly KubernetesBoundary[], target: KubernetesTarget, reads: boolean): Outside | undefined {
  const line = (inside: string) => [`boundary: { kubernetes: [{ context: ${target.context}, uid: ${target.uid}, ${inside} }] }`];
  const inside = target.namespace === undefined ? `cluster: ["${target.resource}${target.name === undefined ? '' : `/${target.name}`}"]` : `namespaces: ["${target.namespace}"]`;
  const named = boundary.filter(({ context }) => context === target.context);
  if (named.length === 0) return { why: `the context ${target.context} is outside the boundary`, allow: line(inside) };
  const [said] = named;
  const entries = named.filter((entry) => (entry.server === undefined || sameUrl(entry.server) === sameUrl(target.server)) && (entry.uid === undefined || entry.uid === target.uid));
  if (entries.length === 0) return { why: `the context ${target.context} leads to ${target.server}, cluster ${target.uid}; the boundary says ${[said?.server, said?.uid].filter((part) => part !== undefined).join(', cluster ')}`, allow: [] };
  const { namespace } = target;
  if (namespace !== undefined) return entries.some(({ namespaces }) => namespaces.includes(namespace)) ? undefined : { why: `the namespace ${namespace} is outside the boundary`, allow: line(inside) };
  const { name } = target;
  if (reads && target.resource === 'namespaces' && name !== undefined && entries.some(({ namespaces }) => namespaces.includes(name))) return undefined;
  const objects = entries.flatMap(({ cluster }) => cluster);
  if (objects.some((object) => covers(object, target, reads))) return undefined;
  return { why: 'cluster-scoped objects must be named in the boundary', allow: line(inside) };
}

/** Does an entry of `cluster` name that object? */
export function namesObject(entry: string, resource: string, name: string): boolean {
  return covers(entry, { resource, name }, false);
}

function covers(object: string, { resource, name }: Pick<KubernetesTarget, 'resource' | 'name'>, reads: boolean): boolean {
  const slash = object.indexOf('/');
  const kind = slash === -1 ? object : object.slice(0, slash);
  if (kind !== resource) return false;
  if (slash === -1) return true;
  if (name === undefined) return reads;
  return globbed(object.slice(slash + 1), name);
}

/** Only `*`, for any characters. */
function globbed(pattern: string, name: string): boolean {
  const [first = '', ...rest] = pattern.split('*');
  const last = rest.pop();
  if (last === undefined) return name === pattern;
  if (!name.startsWith(first) || !name.endsWith(last) || name.length < first.length + last.length) return false;
  let at = first.length;
  for (const part of rest) {
    const found = name.indexOf(part, at);
    if (found === -1) return false;
    at = found + part.length;
  }
  return at <= name.length - last.length;
}

function sameUrl(url: string): string {
  return URL.canParse(url) ? new URL(url).href.replace(/\/$/, '') : url;
}

/** From `boundary.kubernetes` of an environment, which the loader has validated. */
export function kubernetesBoundary(value: unknown): KubernetesBoundary[] {
  if (!Array.isArray(value)) return [];
  return value.map((entry: unknown) => {
    const { context, server, uid, namespaces, cluster } = typeof entry === 'object' && entry !== null ? (entry as Record<string, unknown>) : {};
    if (typeof context !== 'string') throw new GuardError('boundary.kubernetes of the environment: each entry names a context');
    return { context, ...(typeof server === 'string' ? { server } : {}), ...(typeof uid === 'string' ? { uid } : {}), namespaces: strings(namespaces), cluster: strings(cluster) };
  });
}

function strings(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : [];
}
