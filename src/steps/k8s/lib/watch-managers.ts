import { canonicalJson } from '../../../engine/canonical.js';
import type { FieldSet, KubernetesObject } from '../../../clients/kubernetes/port.js';

type Entry = NonNullable<KubernetesObject['metadata']['managedFields']>[number];

/**
 * Field managers that wrote between two states of an object, as far as it says so: an entry is new, or its time is another, or it has the
 * same time (of one second's resolution) and more fields. An entry that only lost fields was written over by somebody else. Where no entry differs,
 * whoever wrote was the owner of what changed already, for another one would have become it; what was taken away has no owner any more,
 * and whoever wrote the rest did that too. None: the object does not say
 * who it was, which holds for deletions and, in servers before 1.22, for a number of replicas that alone was changed (`scale`).
 */
export function writersBetween(before: KubernetesObject | undefined, after: KubernetesObject, changed: readonly string[]): string[] {
  const entries = after.metadata.managedFields ?? [];
  const earlier = new Map((before?.metadata.managedFields ?? []).map((entry) => [keyOf(entry), entry]));
  const wrote = entries.filter((entry) => {
    const known = earlier.get(keyOf(entry));
    if (known === undefined || known.time !== entry.time) return true;
    const had = new Set(leaves(known.fieldsV1));
    return leaves(entry.fieldsV1).some((field) => !had.has(field));
  });
  // Servers that do not sign scaling name no subresource either.
  const scalingIsSigned = entries.some((entry) => 'subresource' in entry);
  const owned = changed.filter((path) => (path !== 'spec.replicas' || scalingIsSigned) && entries.some((entry) => owns(entry, path)));
  const writers = wrote.length > 0 || owned.length === 0 ? wrote : latest(entries.filter((entry) => owned.every((path) => owns(entry, path))));
  return [...new Set(writers.map(({ manager }) => manager ?? 'unknown'))].toSorted();
}

function latest(entries: readonly Entry[]): readonly Entry[] {
  const times = entries.map(({ time }) => time ?? '').toSorted();
  return entries.filter(({ time }) => (time ?? '') === times.at(-1));
}

/** The path as changedPaths gives it: names of annotations and labels may hold dots. */
function owns({ fieldsV1 }: Entry, path: string): boolean {
  const [first = '', second, ...rest] = path.split('.');
  const names = [first, ...(second === undefined ? [] : [second]), ...(rest.length === 0 ? [] : [rest.join('.')])];
  let fields: FieldSet | undefined = fieldsV1;
  for (const name of names) fields = fields?.[`f:${name}`];
  return fields !== undefined;
}

function keyOf({ manager, operation, subresource, ...rest }: Entry): string {
  return canonicalJson([manager ?? null, operation ?? null, subresource ?? null, 'apiVersion' in rest ? rest.apiVersion : null]);
}

function leaves(fields: unknown, path = ''): string[] {
  if (typeof fields !== 'object' || fields === null) return [path];
  const members = Object.entries(fields);
  return members.length === 0 ? [path] : members.flatMap(([name, member]) => leaves(member, `${path}/${name}`));
}
