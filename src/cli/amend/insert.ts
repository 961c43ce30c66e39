import { isMap, isScalar, isSeq, parseDocument, stringify, type Document, type ParsedNode, type YAMLMap, type YAMLSeq } from 'yaml';
import { RefusedError } from '../../engine/errors.js';
import type { MissingStep } from './missing.js';
import type { TextEdit } from './unified.js';

/**
 * The edits that put the steps into a runbook's text, each after the step it followed, and raise its version; comments and
 * form of the rest stay. Throws RefusedError for a form that is not a block list.
 */
export function insertSteps(text: string, missing: readonly MissingStep[]): TextEdit[] {
  const document = parseDocument(text);
  const steps = document.get('steps', true) as ParsedNode | undefined;
  if (!isSeq(steps) || steps.flow === true) throw new RefusedError('the steps of this runbook are not a block list, so nothing can be inserted as lines');
  const known = new Set(idsOf(document));
  const byLine = new Map<number, string[]>();
  for (const { step, name, after } of missing) {
    const node = after === null ? undefined : topNode(steps, after);
    const place = node ?? steps.items[0];
    if (place?.range === undefined || place.range === null) throw new RefusedError('the place for a step cannot be found in this runbook');
    const indent = columnOf(text, place.range[0]) - 2;
    const line = node === undefined ? lineOf(text, place.range[0]) : lineOf(text, place.range[1] - 1) + 1;
    const id = unique(name, known);
    const block = stringify([{ id, ...step }], { lineWidth: 0, indentSeq: false })
      .trimEnd()
      .split('\n')
      .map((each) => ' '.repeat(Math.max(0, indent)) + each);
    byLine.set(line, [...(byLine.get(line) ?? []), ...(node === undefined ? [...block, ''] : ['', ...block])]);
  }
  return [...versionEdit(text, document), ...[...byLine].map(([at, insert]) => ({ at, remove: 0, insert }))];
}

function versionEdit(text: string, document: Document): TextEdit[] {
  const version = document.getIn(['metadata', 'version'], true);
  if (!isScalar(version) || typeof version.value !== 'string' || version.range === undefined || version.range === null) return [];
  const [major, minor] = version.value.split('.');
  const at = lineOf(text, version.range[0]);
  const line = text.split('\n')[at] ?? '';
  const column = columnOf(text, version.range[0]);
  const raised = `${major}.${Number(minor) + 1}.0`;
  const written = text.slice(version.range[0], version.range[1]);
  return [{ at, remove: 1, insert: [line.slice(0, column) + written.replace(version.value, raised) + line.slice(column + written.length)] }];
}

/** The item of `steps` that is the step, or the parallel block that holds it. */
function topNode(steps: YAMLSeq, id: string): YAMLMap | undefined {
  return steps.items.find((item): item is YAMLMap => isMap(item) && holds(item, id));
}

function holds(node: YAMLMap, id: string): boolean {
  if (node.get('id') === id) return true;
  const parallel = node.get('parallel', true);
  return isMap(parallel) && parallel.items.some(({ value }) => isSeq(value) && value.items.some((step) => isMap(step) && step.get('id') === id));
}

function idsOf(document: Document): string[] {
  return [...JSON.stringify(document.toJS()).matchAll(/"id":"([^"]+)"/g)].map(([, id = '']) => id);
}

function unique(name: string, known: Set<string>): string {
  let id = name;
  for (let n = 2; known.has(id); n += 1) id = `${name}-${n}`;
  known.add(id);
  return id;
}

const lineOf = (text: string, offset: number): number => text.slice(0, offset).split('\n').length - 1;
const columnOf = (text: string, offset: number): number => offset - (text.lastIndexOf('\n', offset - 1) + 1);
