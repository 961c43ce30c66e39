import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { DocumentError, messageOf } from '../errors.js';
import type { ControlMapping, Findings } from '../record-documents.js';
import { validator } from '../validators.js';
import { diagnostic, type Report } from './report.js';
import { reportSchema } from './schema-errors.js';
import { list, mapping } from './shape.js';
import { maxBytes, parseSource } from './source.js';

/** findings.yaml. Throws DocumentError with everything that is wrong; a relative path starts at `cwd`. */
export async function loadFindings(path: string, cwd: string): Promise<Findings> {
  const { value, report } = await load(path, cwd, 'findings');
  unique(list(mapping(value)['findings']), 'findings', report);
  return checked<Findings>(value, report);
}

/** A control mapping. Throws DocumentError with everything that is wrong; a relative path starts at `cwd`. */
export async function loadControlMapping(path: string, cwd: string): Promise<ControlMapping> {
  const { value, report } = await load(path, cwd, 'controls');
  const controls = list(mapping(value)['controls']);
  unique(controls, 'controls', report);
  const framework = mapping(mapping(value)['metadata'])['framework'];
  for (const [index, control] of controls.entries()) {
    const { id } = mapping(control);
    if (typeof id === 'string' && typeof framework === 'string' && !id.startsWith(`${framework}/`)) report.add(['controls', index, 'id'], { message: 'this control is of another framework', expected: `${framework}/...`, found: JSON.stringify(id) });
  }
  return checked<ControlMapping>(value, report);
}

async function load(path: string, cwd: string, schema: 'findings' | 'controls'): Promise<{ value: unknown; report: Report }> {
  const start = { file: path, line: 1, column: 1 };
  let text: string;
  try {
    const bytes = await readFile(resolve(cwd, path));
    if (bytes.length > maxBytes) throw new RangeError('larger than 1 MiB');
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw new DocumentError([diagnostic(start, { message: `cannot be read: ${messageOf(error)}`, hint: 'check the path' })]);
  }
  const { value, report } = parseSource(path, text);
  reportSchema(validator(schema), value, [], report);
  return { value, report };
}

function unique(items: readonly unknown[], name: string, report: Report): void {
  const seen = new Set<unknown>();
  for (const [index, item] of items.entries()) {
    const { id } = mapping(item);
    if (id !== undefined && seen.has(id)) report.add([name, index, 'id'], { message: 'this id stands here twice', expected: 'each once', found: JSON.stringify(id) });
    seen.add(id);
  }
}

/** Nothing is wrong with it: the value is what its schema says. */
function checked<T>(value: unknown, report: Report): T {
  const diagnostics = report.diagnostics();
  if (diagnostics.length > 0) throw new DocumentError(diagnostics);
  return value as T;
}
