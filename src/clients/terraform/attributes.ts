import { canonicalJson } from '../../engine/canonical.js';

/** An attribute that differs, by its path: `input.release`. Its value is never told. */
export interface Attribute {
  readonly name: string;
  /** Terraform treats its value as secret. */
  readonly sensitive: boolean;
}

interface Compared {
  readonly before?: unknown;
  readonly after?: unknown;
  readonly after_unknown?: unknown;
  readonly before_sensitive?: unknown;
  readonly after_sensitive?: unknown;
}

/** How deep names go: below, a list or object counts as one attribute. */
const depth = 3;

/** What differs between `before` and `after` of a plan's change; what is only known after the apply differs too. */
export function differingAttributes({ before, after, after_unknown: unknown, before_sensitive: was, after_sensitive: is }: Compared): Attribute[] {
  return differing({ before, after, unknown, was, is }, '', depth);
}

interface Pair {
  readonly before: unknown;
  readonly after: unknown;
  readonly unknown: unknown;
  readonly was: unknown;
  readonly is: unknown;
}

function differing({ before, after, unknown, was, is }: Pair, name: string, left: number): Attribute[] {
  const sensitive = was === true || is === true;
  if (unknown !== true && canonicalJson(before ?? null) === canonicalJson(after ?? null) && !holdsTrue(unknown)) return [];
  const [old, now] = [membersOf(before), membersOf(after)];
  if (sensitive || unknown === true || left === 0 || (old === undefined && now === undefined)) return [{ name: name === '' ? '*' : name, sensitive: sensitive || holdsTrue(was) || holdsTrue(is) }];
  const names = new Set([...Object.keys(old ?? {}), ...Object.keys(now ?? {}), ...Object.keys(membersOf(unknown) ?? {})]);
  return [...names].toSorted().flatMap((member) =>
    differing({ before: old?.[member], after: now?.[member], unknown: memberOf(unknown, member), was: memberOf(was, member), is: memberOf(is, member) }, name === '' ? member : `${name}.${member}`, left - 1),
  );
}

/** Objects only: members of a list have no name that would mean the same before and after. */
function membersOf(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.fromEntries(Object.entries(value)) : undefined;
}

function memberOf(value: unknown, name: string): unknown {
  return value === true ? true : membersOf(value)?.[name];
}

function holdsTrue(value: unknown): boolean {
  if (value === true) return true;
  return typeof value === 'object' && value !== null && Object.values(value).some(holdsTrue);
}
