import { readFile, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { sha256 } from './canonical.js';
import { catalog } from './catalog.js';
import type { Environment, Runbook } from './documents.js';
import { DocumentError, messageOf, type SourcePosition } from './errors.js';
import { checkEnvironment } from './load/environment.js';
import { didYouMean } from './load/nearest.js';
import { describe, diagnostic, listed, Report, type Finding, type Pointer } from './load/report.js';
import { checkRunbook } from './load/runbook.js';
import { refuseSecrets } from './load/secrets.js';
import { isMapping, mapping } from './load/shape.js';
import { maxBytes, parseSource, type Source } from './load/source.js';

/** A document that holds to everything that can be checked without an environment or a run. */
export interface Loaded<T> {
  /** As it was given. */
  readonly path: string;
  readonly text: string;
  /** Of the file's bytes, hex. */
  readonly sha256: string;
  readonly document: T;
  /** Where a value stands, by its path of keys and indexes; the nearest parent when it is not in the file. */
  position(pointer: Pointer): SourcePosition;
}

export type LoadedDocument = ({ readonly kind: 'Runbook' } & Loaded<Runbook>) | ({ readonly kind: 'Environment' } & Loaded<Environment>);

/**
 * Throws DocumentError with everything that is wrong. Only the catalog and the validators of the types used are loaded.
 * A relative path starts at `cwd`; it is shown as it was given.
 */
export async function loadRunbook(path: string, cwd = process.cwd()): Promise<Loaded<Runbook>> {
  const loaded = await loadAs(path, cwd, ['Runbook']);
  if (loaded.kind !== 'Runbook') throw new TypeError('expected a runbook');
  return loaded;
}

/** Throws DocumentError with everything that is wrong. */
export async function loadEnvironment(path: string, cwd = process.cwd()): Promise<Loaded<Environment>> {
  const loaded = await loadAs(path, cwd, ['Environment']);
  if (loaded.kind !== 'Environment') throw new TypeError('expected an environment');
  return loaded;
}

/** A runbook or an environment, by its `kind`. Throws DocumentError with everything that is wrong. */
export function loadDocument(path: string, cwd = process.cwd()): Promise<LoadedDocument> {
  return loadAs(path, cwd, ['Runbook', 'Environment']);
}

type Kind = LoadedDocument['kind'];

async function loadAs(path: string, cwd: string, kinds: readonly Kind[]): Promise<LoadedDocument> {
  const bytes = await read(path, resolve(cwd, path));
  const source = parseSource(path, decode(path, bytes));
  const kind = kindOf(source, kinds);
  refuseSecrets(source.value, source.report);
  (kind === 'Runbook' ? checkRunbook : checkEnvironment)(source.value, catalog(), source.report);
  const diagnostics = source.report.diagnostics();
  if (diagnostics.length > 0) throw new DocumentError(diagnostics);
  const common = { path, text: source.text, sha256: sha256(bytes), position: (pointer: Pointer) => source.report.locate(pointer, 'value') };
  // Nothing is wrong with it: the value is what its schema says.
  return kind === 'Runbook' ? { ...common, kind, document: source.value as Runbook } : { ...common, kind, document: source.value as Environment };
}

const start = (file: string): SourcePosition => ({ file, line: 1, column: 1 });
const refuse = (file: string, finding: Finding) => new DocumentError([diagnostic(start(file), finding)]);

async function read(path: string, file: string): Promise<Buffer> {
  try {
    const { size } = await stat(file);
    if (size > maxBytes) throw refuse(path, { message: 'the document is too large', expected: 'at most 1 MiB', found: `${size} bytes` });
    const bytes = await readFile(file);
    // It may have grown since, or be no plain file.
    if (bytes.length > maxBytes) throw refuse(path, { message: 'the document is too large', expected: 'at most 1 MiB', found: `${bytes.length} bytes` });
    return bytes;
  } catch (error) {
    if (error instanceof DocumentError) throw error;
    throw refuse(path, { message: `cannot be read: ${messageOf(error)}`, hint: 'check the path' });
  }
}

function decode(path: string, bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw refuse(path, { message: 'the document is not UTF-8', expected: 'UTF-8 text' });
  }
}

/** Of a document of another kind nothing more can be said than that. */
function kindOf(source: Source, kinds: readonly Kind[]): Kind {
  const { value, report } = source;
  if (!isMapping(value)) report.add([], { message: `this is no ${listed(kinds)}`, expected: 'a mapping with apiVersion and kind', found: describe(value) });
  else {
    const kind = kinds.find((each) => each === value['kind']);
    if (kind !== undefined) return kind;
    const given = value['kind'];
    if (given === undefined) report.add([], { message: 'missing key "kind"', expected: listed(kinds.map((each) => `kind: ${each}`)), found: 'nothing' });
    else report.add(['kind'], { message: `this is no ${listed(kinds)}`, expected: listed(kinds), found: describe(given), hint: typeof given === 'string' ? didYouMean(given, kinds) : undefined });
  }
  throw new DocumentError(report.diagnostics());
}

/** Throws DocumentError when the environment lacks something that the runbook requires, with the runbook's positions. */
export function checkAgainst(runbook: Loaded<Runbook>, environment: Loaded<Environment>): void {
  const report = new Report((pointer) => runbook.position(pointer));
  const { connections, endpoints = {} } = environment.document;
  const { name: where } = environment.document.metadata;
  for (const [name, kind] of Object.entries(runbook.document.requires)) {
    const pointer = ['requires', name];
    if (kind === 'endpoint') {
      if (!Object.hasOwn(endpoints, name)) report.add(pointer, { message: `the environment "${where}" has no endpoint "${name}"`, expected: `an endpoint "${name}" in ${environment.path}`, found: listed(Object.keys(endpoints)) || 'no endpoints', hint: didYouMean(name, Object.keys(endpoints)) });
      continue;
    }
    const found = Object.hasOwn(connections, name) ? mapping(connections[name])['kind'] : undefined;
    if (found === kind) continue;
    report.add(pointer, {
      message: found === undefined ? `the environment "${where}" has no connection "${name}"` : `the connection "${name}" of the environment "${where}" is of another kind`,
      expected: `a connection "${name}" of kind ${kind} in ${environment.path}`,
      found: found === undefined ? listed(Object.keys(connections)) || 'no connections' : `kind ${describe(found)}`,
      hint: found === undefined ? didYouMean(name, Object.keys(connections)) : undefined,
    });
  }
  const diagnostics = report.diagnostics();
  if (diagnostics.length > 0) throw new DocumentError(diagnostics);
}
