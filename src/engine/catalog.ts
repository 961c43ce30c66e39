import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from './package-root.js';
import type { CatalogEntry } from './registry.js';

let loaded: ReadonlyMap<string, CatalogEntry> | undefined;

/** Every step, probe and provisioner type, from schemas/catalog.json: no definition is loaded. */
export function catalog(): ReadonlyMap<string, CatalogEntry> {
  loaded ??= new Map((JSON.parse(readFileSync(join(packageRoot(), 'schemas', 'catalog.json'), 'utf8')) as CatalogEntry[]).map((entry) => [entry.type, entry]));
  return loaded;
}
