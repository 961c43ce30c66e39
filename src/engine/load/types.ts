import type { CatalogEntry, InputReference } from '../catalog.js';
import { validator } from '../validators.js';
import { didYouMean } from './nearest.js';
import type { Pointer, Report } from './report.js';
import { reportSchema } from './schema-errors.js';
import { text, type Mapping } from './shape.js';

type Catalog = ReadonlyMap<string, CatalogEntry>;

/** The catalog entry of `uses` or `provision` in `holder`; reports a type that does not exist or is of another role. */
export function typeIn(holder: Mapping, key: 'uses' | 'provision', role: CatalogEntry['role'], pointer: Pointer, catalog: Catalog, report: Report): CatalogEntry | undefined {
  const name = text(holder[key]);
  if (name === undefined) return undefined;
  const entry = catalog.get(name);
  if (entry?.role === role) return entry;
  const candidates = [...catalog.values()].filter((each) => each.role === role).map((each) => each.type);
  if (entry === undefined) report.add([...pointer, key], { message: `there is no ${role} type "${name}"`, expected: `a ${role} type`, found: `"${name}"`, hint: didYouMean(name, candidates) ?? 'muster steps lists them' });
  else report.add([...pointer, key], { message: `"${name}" is a ${entry.role}, not a ${role}`, expected: `a ${role} type`, found: `the ${entry.role} type "${name}"`, hint: where[entry.role] });
  return undefined;
}

const where: Readonly<Record<CatalogEntry['role'], string>> = {
  step: 'steps stand under `steps:` or `cleanup:`',
  probe: 'probes stand under `probes:`',
  provisioner: 'provisioners stand under `connections:` of an environment',
  watcher: 'watchers stand under `watch:` of an environment',
};

/** Checks `with` against the type's schema: in its template-tolerant form, or strictly for provisioners and watchers. `at`: where it stands. */
export function checkWith(holder: Mapping, entry: CatalogEntry, pointer: Pointer, report: Report, at: Pointer = [...pointer, 'with']): void {
  if (report.isBroken(at) || report.has(at)) return;
  const validate = validator(entry.role === 'provisioner' ? `provision/${entry.type}.strict` : entry.role === 'watcher' ? `watch/${entry.type}.strict` : `steps/${entry.type}.tolerant`);
  const absent = holder['with'] === undefined;
  if (absent && !validate({})) {
    const needs = (validate.errors ?? []).filter((error) => error.keyword === 'required').map((error) => String(error.params['missingProperty']));
    report.add(pointer, { message: 'missing key "with"', expected: `"with" holding ${needs.join(', ')}`, found: 'nothing' }, 'key');
  } else if (!absent) reportSchema(validate, holder['with'], at, report);
}

/** Calls `visit` for every name in `with` that an annotation says refers to something (`x-connection` and the like). */
export function eachReference(holder: Mapping, entry: CatalogEntry, pointer: Pointer, visit: (name: string, to: InputReference, pointer: Pointer) => void, at: Pointer = [...pointer, 'with']): void {
  for (const reference of entry.references) {
    eachAt(holder['with'], reference.at.split('.'), at, (name, where) => {
      if (!name.includes('{{')) visit(name, reference, where);
    });
  }
}

/** Reports templates in text that some interpreter runs: values go through the parameters beside it. */
export function checkFixed(holder: Mapping, entry: CatalogEntry, pointer: Pointer, report: Report): void {
  for (const fixed of entry.fixed) {
    eachAt(holder['with'], fixed.split('.'), [...pointer, 'with'], (value, at) => {
      if (value.includes('{{')) report.broken(at, { message: 'no template is ever put into this text', expected: 'fixed text; values go through the parameters beside it', found: JSON.stringify(value), hint: `muster steps ${entry.type} shows the parameters` });
    });
  }
}

function eachAt(value: unknown, path: readonly string[], pointer: Pointer, visit: (value: string, pointer: Pointer) => void): void {
  const [name, ...rest] = path;
  if (name === undefined) {
    if (typeof value === 'string') visit(value, pointer);
  } else if (typeof value !== 'object' || value === null) return;
  else if (name === '*') for (const [key, member] of Object.entries(value)) eachAt(member, rest, [...pointer, key], visit);
  else if (Object.hasOwn(value, name)) eachAt((value as Mapping)[name], rest, [...pointer, name], visit);
}
