import { isAlias, isMap, isNode, isScalar, isSeq, type Node, type Pair, type Scalar, type YAMLMap } from 'yaml';
import { DocumentError } from '../errors.js';
import { diagnostic, type Pointer, type Report } from './report.js';

const maxDepth = 64;
const maxAliases = 100;
/** How many values aliases may add to a document. */
const maxAliased = 10_000;

/** A key as text: `5` and `true` are names here, as they are in JSON. */
export function nameOf(key: Scalar): string | undefined {
  if (typeof key.value === 'string') return key.value;
  return key.value === null ? undefined : key.source;
}

/**
 * YAML nodes as plain JSON. Fills `anchors`, and reports duplicate keys, keys that are no names, templates that are not
 * quoted and numbers that JSON cannot hold. Throws DocumentError at once for aliases that multiply and for nesting
 * without end: there is nothing sensible to look at then.
 */
export function toValue(contents: Node, anchors: Map<string, Node>, text: string, report: Report): unknown {
  const open = new Set<Node>();
  let aliases = 0;
  let aliased = 0;

  const stop = (pointer: Pointer, message: string, expected: string): never => {
    throw new DocumentError([diagnostic(report.locate(pointer, 'value'), { message, expected })]);
  };

  function convert(node: unknown, pointer: readonly (string | number)[], viaAlias: boolean): unknown {
    if (!isNode(node)) return null;
    if (pointer.length > maxDepth) stop(pointer, 'the document is nested too deeply', `at most ${maxDepth} levels`);
    if (viaAlias && ++aliased > maxAliased) stop(pointer, 'the aliases multiply the document', `at most ${maxAliased} values through aliases`);
    if (isAlias(node)) {
      if (++aliases > maxAliases) stop(pointer, 'too many aliases', `at most ${maxAliases}`);
      const target = anchors.get(node.source);
      if (target === undefined) {
        report.broken(pointer, { message: `the alias *${node.source} has no anchor before it` });
        return null;
      }
      if (open.has(target)) stop(pointer, `the alias *${node.source} contains itself`, 'an anchor that ends before its alias');
      return convert(target, pointer, true);
    }
    if (node.anchor !== undefined && !viaAlias) anchors.set(node.anchor, node);
    if (isScalar(node)) return scalar(node, pointer);
    open.add(node);
    const value = isMap(node) ? mapping(node, pointer, viaAlias) : isSeq(node) ? node.items.map((item, index) => convert(item, [...pointer, index], viaAlias)) : null;
    open.delete(node);
    return value;
  }

  function scalar(node: Scalar, pointer: Pointer): unknown {
    const { value } = node;
    if (typeof value !== 'number' || Number.isSafeInteger(value) || (Number.isFinite(value) && !Number.isInteger(value))) return value;
    const finding = Number.isFinite(value)
      ? { message: 'this number is too large to be held exactly', expected: `a whole number up to ${Number.MAX_SAFE_INTEGER}`, hint: 'quote it if it is meant as text' }
      : { message: 'this number has no value', expected: 'a finite number' };
    report.broken(pointer, { ...finding, found: node.source ?? '' });
    return null;
  }

  function mapping(node: YAMLMap, pointer: readonly (string | number)[], viaAlias: boolean): unknown {
    const members: [string, unknown][] = [];
    const names = new Set<string>();
    for (const item of node.items) {
      const name = keyName(item, node, pointer);
      if (name === undefined) return null;
      if (names.has(name)) report.add([...pointer, name], { message: `the key "${name}" stands here twice`, hint: 'the later one would silently win: remove one' }, 'key');
      names.add(name);
      const value = convert(item.value, [...pointer, name], viaAlias);
      members.push([name, value]);
    }
    return Object.fromEntries(members);
  }

  /** Undefined, with a finding, when the key is no name. */
  function keyName(item: Pair, node: YAMLMap, pointer: Pointer): string | undefined {
    const name = isScalar(item.key) ? nameOf(item.key) : undefined;
    if (name !== undefined && name !== '__proto__') return name;
    const start = node.range?.[0] ?? 0;
    if (text.startsWith('{{', start)) {
      const written = text.slice(start, node.range?.[1]).trim();
      report.broken(pointer, { message: 'a template must be quoted', expected: `"${written}"`, found: `${written}, which YAML reads as a mapping`, hint: `write "${written}"` });
    } else report.broken(pointer, { message: 'a key must be a name', expected: 'text', found: isScalar(item.key) ? (name ?? 'nothing') : 'a mapping or a list' });
    return undefined;
  }

  return convert(contents, [], false);
}
