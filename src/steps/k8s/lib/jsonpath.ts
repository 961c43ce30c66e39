import { StepError } from '../../../engine/errors.js';

/** One part of a path: a member, an item, all of them, or those whose member has a value. */
type Part = { readonly kind: 'member'; readonly name: string } | { readonly kind: 'index'; readonly index: number } | { readonly kind: 'all' } | { readonly kind: 'filter'; readonly path: readonly string[]; readonly equals: string };

const partPattern = /\.((?:\\.|[^.[\]{}\\\s])+)|\[(-?\d+)\]|\[\*\]|\['([^']*)'\]|\[\?\(@((?:\.[A-Za-z0-9_-]+)+)\s*==\s*(?:"([^"]*)"|'([^']*)'|([^)\s]+))\)\]|\.\*/y;

/**
 * The values at a path in kubectl's notation: `{.status.conditions[?(@.type=="Ready")].status}`, `.spec.ports[0].port`,
 * `.metadata.annotations.a\.b/c`. No recursive descent, no ranges. Throws StepError `bad-input`.
 */
export function valuesAt(object: unknown, path: string): unknown[] {
  let found: unknown[] = [object];
  for (const part of parsed(path)) found = found.flatMap((value) => step(value, part));
  return found;
}

/** The one text at a path: numbers and booleans as JSON, objects too; undefined when there is nothing. */
export function textAt(object: unknown, path: string): string | undefined {
  const [value] = valuesAt(object, path);
  if (value === undefined || value === null) return undefined;
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function parsed(path: string): Part[] {
  const trimmed = path.trim();
  const inner = trimmed.startsWith('{') && trimmed.endsWith('}') ? trimmed.slice(1, -1).trim() : trimmed;
  const text = inner.startsWith('.') || inner.startsWith('[') ? inner : `.${inner}`;
  const parts: Part[] = [];
  const pattern = new RegExp(partPattern);
  while (pattern.lastIndex < text.length) {
    const at = pattern.lastIndex;
    const match = pattern.exec(text);
    if (match === null) throw new StepError('bad-input', `the path ${path} cannot be read from ${JSON.stringify(text.slice(at))} on`);
    parts.push(partOf(match));
  }
  return parts;
}

function partOf([whole, member, index, quoted, filter, ...equals]: RegExpExecArray): Part {
  if (whole === '[*]' || whole === '.*') return { kind: 'all' };
  if (index !== undefined) return { kind: 'index', index: Number(index) };
  if (filter !== undefined) return { kind: 'filter', path: filter.slice(1).split('.'), equals: equals.find((text) => text !== undefined) ?? '' };
  return { kind: 'member', name: quoted ?? (member ?? '').replaceAll(/\\(.)/g, '$1') };
}

function step(value: unknown, part: Part): unknown[] {
  if (typeof value !== 'object' || value === null) return [];
  switch (part.kind) {
    case 'member': {
      const members = value as Readonly<Record<string, unknown>>;
      return Object.hasOwn(members, part.name) ? [members[part.name]] : [];
    }
    case 'index': {
      const item: unknown = Array.isArray(value) ? value.at(part.index) : undefined;
      return item === undefined ? [] : [item];
    }
    case 'all':
      return Object.values(value);
    case 'filter':
      return Object.values(value).filter((item: unknown) => String(part.path.reduce<unknown>((at, name) => (typeof at === 'object' && at !== null && Object.hasOwn(at, name) ? (at as Readonly<Record<string, unknown>>)[name] : undefined), item)) === part.equals);
  }
}
