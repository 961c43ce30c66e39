import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from './package-root.js';

/** What a type can be found by without loading its module; generated from the definitions. */
export interface CatalogEntry {
  readonly type: string;
  readonly role: 'step' | 'probe' | 'provisioner' | 'watcher';
  readonly summary: string;
  /** Top-level output fields, and nested ones as dotted paths; `*` where anything may follow. Steps only. */
  readonly outputs: readonly string[];
  /** Input fields that name something else in the documents (`x-connection`, `x-endpoint`, `x-probe` in schema.ts). */
  readonly references: readonly InputReference[];
  /** Input fields that take no template (`x-no-template`), in the form of `InputReference.at`. */
  readonly fixed: readonly string[];
  /** The connection kinds that a provisioner provides; empty for steps and probes. */
  readonly kinds: readonly string[];
}

export interface InputReference {
  /** Where in the input, `*` for every member of an array or record: `server`, `checks.*.server`. */
  readonly at: string;
  readonly to: 'connection' | 'endpoint' | 'probe';
  /** Of a connection: its kind, or `*`. */
  readonly kind?: string;
}

let loaded: ReadonlyMap<string, CatalogEntry> | undefined;

/** Every step, probe and provisioner type, from schemas/catalog.json: no definition is loaded. */
export function catalog(): ReadonlyMap<string, CatalogEntry> {
  loaded ??= new Map((JSON.parse(readFileSync(join(packageRoot(), 'schemas', 'catalog.json'), 'utf8')) as CatalogEntry[]).map((entry) => [entry.type, entry]));
  return loaded;
}
