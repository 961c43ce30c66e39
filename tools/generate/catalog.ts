import type { CatalogEntry, InputReference } from '../../src/engine/catalog.js';
import type { Found } from './discover.js';
import type { JsonSchema } from './json-schema.js';
import { normalize } from './normalize.js';

export function catalogEntry(found: Found): CatalogEntry {
  const input = JSON.parse(JSON.stringify(found.definition.input)) as JsonSchema;
  return {
    type: found.type,
    role: found.role,
    summary: found.definition.summary,
    outputs: found.role === 'step' ? outputs(normalize(found.definition.output), '') : [],
    references: annotated(input, '', reference),
    fixed: annotated(input, '', (schema, at) => (schema['x-no-template'] === true ? at : undefined)),
    kinds: found.role === 'provisioner' ? [...found.definition.kinds] : [],
  };
}

/** Dotted paths of what an output holds; `*` where anything may follow. */
function outputs(schema: JsonSchema, prefix: string): string[] {
  const open = schema.items !== undefined || schema.prefixItems !== undefined || schema.patternProperties !== undefined || (schema.additionalProperties !== false && schema.type === 'object');
  const branches = [schema.then, schema.else, ...(schema.allOf ?? []).map((part) => part.then ?? part), ...(schema.anyOf ?? [])].filter((part) => part !== undefined);
  const unconstrained = schema.type === undefined && schema.enum === undefined && schema.const === undefined && branches.length === 0;
  const paths = new Set<string>();
  if (open || unconstrained) paths.add(`${prefix}*`);
  for (const [name, member] of Object.entries(schema.properties ?? {})) {
    paths.add(prefix + name);
    for (const path of outputs(member, `${prefix}${name}.`)) paths.add(path);
  }
  for (const branch of branches) for (const path of outputs(branch, prefix)) paths.add(path);
  return [...paths];
}

/** Where an input names connections, endpoints or probes (annotations of src/engine/schema.ts). */
function reference(schema: JsonSchema, at: string): InputReference | undefined {
  if (typeof schema['x-connection'] === 'string') return { at, to: 'connection', kind: schema['x-connection'] };
  if (schema['x-endpoint'] === true) return { at, to: 'endpoint' };
  return schema['x-probe'] === true ? { at, to: 'probe' } : undefined;
}

/** What `read` makes of every member of an input, at any depth. */
function annotated<T extends {}>(schema: JsonSchema, at: string, read: (schema: JsonSchema, at: string) => T | undefined): T[] {
  const here = read(schema, at);
  const found = here === undefined ? [] : [here];
  const below = (name: string) => (at === '' ? name : `${at}.${name}`);
  for (const [name, member] of Object.entries(schema.properties ?? {})) found.push(...annotated(member, below(name), read));
  for (const member of Object.values(schema.patternProperties ?? {})) found.push(...annotated(member, below('*'), read));
  for (const member of [schema.items, schema.additionalProperties]) if (typeof member === 'object' && !Array.isArray(member)) found.push(...annotated(member, below('*'), read));
  for (const member of schema.anyOf ?? []) found.push(...annotated(member, at, read));
  return found;
}
