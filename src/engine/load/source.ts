import { isAlias, isMap, isNode, isScalar, isSeq, LineCounter, parseAllDocuments, type Document, type Node, type ParsedNode } from 'yaml';
import { DocumentError, type SourcePosition } from '../errors.js';
import { nameOf, toValue } from './convert.js';
import { diagnostic, Report, type Finding, type Locate, type Pointer } from './report.js';

/** The largest document that is read, in bytes. */
export const maxBytes = 1024 * 1024;

/** A YAML file as a value that remembers where everything stood. */
export interface Source {
  readonly path: string;
  readonly text: string;
  /** Plain JSON; null where the document was so broken that there is nothing to look at. */
  readonly value: unknown;
  readonly report: Report;
}

/** Throws DocumentError when there is no single YAML document to go on with. */
export function parseSource(path: string, text: string): Source {
  const lines = new LineCounter();
  const at = (offset: number): SourcePosition => place(path, lines, offset);
  const refuse = (offset: number, finding: Finding) => new DocumentError([diagnostic(at(offset), finding)]);

  const documents = read(text, lines, refuse);
  const [document, second] = documents;
  if (document === undefined || document.contents === null) throw refuse(0, { message: 'the document is empty', expected: 'a Runbook or an Environment', found: 'nothing' });
  for (const each of documents) {
    const error = each.errors[0];
    // What follows a syntax error is guesswork: the first one is the one to mend.
    if (error !== undefined) throw refuse(error.pos[0], { message: `YAML: ${firstLine(error.message)}`, hint: quotingHint(text, error.pos[0]) });
  }
  if (second !== undefined) throw refuse(second.contents?.range?.[0] ?? second.range[0], { message: 'a second document starts here', expected: 'one document in each file', hint: 'put it into a file of its own' });
  const warning = document.warnings[0];
  if (warning !== undefined) throw refuse(warning.pos[0], { message: `YAML: ${firstLine(warning.message)}` });

  const contents = document.contents;
  const anchors = new Map<string, Node>();
  const locate: Locate = (pointer, part) => at(offsetOf(contents, anchors, pointer, part));
  const report = new Report(locate);
  const value = toValue(contents, anchors, text, report);
  return { path, text, value, report };
}

type Parsed = Document.Parsed<ParsedNode>;

function read(text: string, lines: LineCounter, refuse: (offset: number, finding: Finding) => DocumentError): readonly Parsed[] {
  try {
    const parsed = parseAllDocuments(text, { lineCounter: lines, uniqueKeys: false, prettyErrors: false });
    return Array.isArray(parsed) ? (parsed as Parsed[]) : [];
  } catch (error) {
    if (error instanceof RangeError) throw refuse(0, { message: 'the document is nested too deeply', expected: 'at most 64 levels' });
    throw error;
  }
}

function place(file: string, lines: LineCounter, offset: number): SourcePosition {
  const { line, col } = lines.linePos(offset);
  return { file, line: Math.max(1, line), column: Math.max(1, col) };
}

const firstLine = (message: string) => message.split('\n', 1)[0] ?? message;

/** A template that is not quoted is the likeliest reason for broken YAML near it. */
function quotingHint(text: string, offset: number): string | undefined {
  const line = text.slice(text.lastIndexOf('\n', offset - 1) + 1).split('\n', 1)[0] ?? '';
  return /(?:^|[:\-,[{]\s+)\{\{/.test(line.trimStart()) ? 'a value that begins with {{ must be quoted: "{{ ... }}"' : undefined;
}

function offsetOf(contents: Node, anchors: ReadonlyMap<string, Node>, pointer: Pointer, part: 'key' | 'value'): number {
  let node: Node = contents;
  let offset = node.range?.[0] ?? 0;
  for (const [index, name] of pointer.entries()) {
    if (isAlias(node)) node = anchors.get(node.source) ?? node;
    let next: unknown;
    if (isMap(node)) {
      const pair = node.items.findLast((item) => isScalar(item.key) && nameOf(item.key) === String(name));
      const key = pair?.key;
      if (!isNode(key)) break;
      if (index === pointer.length - 1 && part === 'key') return key.range?.[0] ?? offset;
      next = pair?.value;
      // A key without a value: the key is what there is to see.
      if (!isNode(next) || (isScalar(next) && next.value === null && next.source === '')) return key.range?.[0] ?? offset;
    } else if (isSeq(node)) next = node.items[Number(name)];
    if (!isNode(next)) break;
    node = next;
    offset = node.range?.[0] ?? offset;
  }
  return offset;
}
