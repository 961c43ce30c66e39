import { canonicalJson } from '../../../engine/canonical.js';
import type { KubernetesObject } from '../../../clients/kubernetes/port.js';

/** What the server writes at every change. */
const bookkeeping = new Set(['resourceVersion', 'managedFields', 'generation', 'selfLink']);
const most = 5;

/** Names of what differs, never a value: `spec.replicas`, `metadata.annotations.team`, `status`. */
export function changedPaths(before: KubernetesObject, after: KubernetesObject): string[] {
  return differing(before, after, '', 0);
}

export function inWordsOf(paths: readonly string[]): string {
  if (paths.length === 0) return 'changed';
  return `changed ${paths.slice(0, most).join(', ')}${paths.length > most ? ` and ${paths.length - most} more` : ''}`;
}

function differing(before: unknown, after: unknown, path: string, depth: number): string[] {
  if (canonicalJson(before ?? null) === canonicalJson(after ?? null)) return [];
  // A controller's report of what it sees is one thing; annotations and labels are told apart.
  const named = path === 'metadata.annotations' || path === 'metadata.labels';
  const open = depth < 2 || (named && depth < 3);
  if (named && before === undefined) return differing({}, after, path, depth);
  if (named && after === undefined) return differing(before, {}, path, depth);
  if (path === 'status' || !open || !isObject(before) || !isObject(after)) return [path];
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter((name) => !(path === 'metadata' && bookkeeping.has(name)));
  return names.toSorted().flatMap((name) => differing(before[name], after[name], path === '' ? name : `${path}.${name}`, depth + 1));
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
