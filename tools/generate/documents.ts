import { EnvironmentSchema, RunbookSchema } from '../../src/engine/documents.js';
import { DrillSchema } from '../../src/engine/drill.js';
import { eventData } from '../../src/engine/events.js';
import { evidenceKinds } from '../../src/engine/kinds/index.js';
import { journalKinds } from '../../src/engine/kinds/journal.js';
import { PlanSchema } from '../../src/engine/plan-document.js';
import { ControlMappingSchema, FindingsSchema } from '../../src/engine/record-documents.js';
import { ProfileSchema } from '../../src/engine/watch/profile.js';
import { ApprovalSchema } from '../../src/evidence/approval-document.js';
import { DrillPredicateSchema, drillPredicateType } from '../../src/evidence/intoto.js';
import type { Found } from './discover.js';
import { mapSubschemas, type JsonSchema } from './json-schema.js';
import { normalize, tagged } from './normalize.js';
import { tolerant } from './tolerant.js';

export const draft = 'https://json-schema.org/draft/2020-12/schema';
export const idOf = (name: string) => `https://muster.invalid/schemas/${name}.schema.json`;

/** What the loader checks a document against before it looks at any `with`. */
export const runbookStructure = (): JsonSchema => normalize(RunbookSchema);
export const environmentStructure = (): JsonSchema => normalize(EnvironmentSchema);
export const profileSchema = (): JsonSchema => normalize(ProfileSchema);
export const planSchema = (): JsonSchema => normalize(PlanSchema);
export const attestationSchema = (): JsonSchema => ({ title: `Muster attestation: the in-toto predicate ${drillPredicateType}`, ...normalize(DrillPredicateSchema) });
export const drillSchema = (): JsonSchema => normalize(DrillSchema);
export const findingsSchema = (): JsonSchema => normalize(FindingsSchema);
export const controlsSchema = (): JsonSchema => normalize(ControlMappingSchema);

const dataOf = (data: JsonSchema): JsonSchema => ({ type: 'object', properties: { data }, required: ['data'] });

/** `{ kind, data }`, as `evidence.recorded` carries it. */
export function evidenceSchema(): JsonSchema {
  const kinds = Object.entries(evidenceKinds).map(([kind, schema]) => [kind, dataOf(normalize(schema))] as const);
  const { properties, ...chain } = tagged('kind', kinds);
  return { title: 'Muster evidence', ...chain, properties: { ...properties, data: {} }, required: ['kind', 'data'], additionalProperties: false };
}

/** A file of data/evidence in a bundle, whatever its kind; a copy stands in each bundle. */
export function evidenceFileSchema(): JsonSchema {
  const kinds = Object.entries({ ...evidenceKinds, ...journalKinds });
  const record: JsonSchema = {
    type: 'object',
    properties: { seq: { type: 'integer', minimum: 1, description: 'Line of events.jsonl' }, at: { type: 'string', description: 'UTC' }, step: { type: 'string' }, data: { type: 'object' } },
    required: ['seq', 'at', 'data'],
    additionalProperties: false,
  };
  return {
    title: 'Muster evidence: data/evidence/<kind>.json',
    type: 'object',
    properties: { kind: { enum: kinds.map(([kind]) => kind) }, records: { type: 'array', items: record } },
    required: ['kind', 'records'],
    additionalProperties: false,
    allOf: kinds.map(([kind]) => ({ if: { properties: { kind: { const: kind } } }, then: { properties: { records: { items: { properties: { data: { $ref: `#/$defs/${kind}` } } } } } } })),
    $defs: Object.fromEntries(kinds.map(([kind, data]) => [kind, normalize(data)])),
  };
}

/** sig/approval-<who>.json: one line of canonical JSON. */
export const approvalSchema = (): JsonSchema => normalize(ApprovalSchema);

/** One line of events.jsonl. */
export function eventSchema(): JsonSchema {
  const types = Object.entries(eventData).map(([type, schema]) => {
    const data = type === 'evidence.recorded' ? evidenceSchema() : normalize(schema);
    return [type, dataOf(data)] as const;
  });
  const { properties, ...chain } = tagged('type', types);
  const text: JsonSchema = { type: 'string' };
  return {
    title: 'Muster event',
    ...chain,
    properties: {
      seq: { type: 'integer', minimum: 0 },
      at: text,
      mono: { type: 'string', pattern: '^\\d+$' },
      boot: text,
      step: text,
      attempt: { type: 'integer', minimum: 1 },
      parent: text,
      prev: { type: 'string', pattern: '^[0-9a-f]{64}$' },
      ...properties,
      data: { type: 'object' },
    },
    required: ['seq', 'at', 'mono', 'boot', 'prev', 'type', 'data'],
    additionalProperties: false,
  };
}

/** For editors: the whole runbook, `with` completed by what `uses` names. */
export function runbookForEditors(found: readonly Found[]): JsonSchema {
  const $defs: Record<string, JsonSchema> = {};
  const schema = hoist(runbookStructure(), (node) => {
    if (node.properties?.['uses'] === undefined) return undefined;
    const name = node.properties['phase'] !== undefined ? 'step' : node.properties['id'] !== undefined ? 'cleanupStep' : 'probe';
    $defs[name] ??= choose(node, 'uses', found.filter((entry) => entry.role === (name === 'probe' ? 'probe' : 'step')), 'with');
    return name;
  });
  for (const entry of found) if (entry.role === 'step' || entry.role === 'probe') $defs[`with.${entry.type}`] = tolerant(normalize(entry.definition.input));
  return { $schema: draft, ...schema, $defs };
}

/** For editors: the whole environment, `with` completed by what `provision` names. Environments hold no templates. */
export function environmentForEditors(found: readonly Found[]): JsonSchema {
  const $defs: Record<string, JsonSchema> = {};
  const schema = hoist(environmentStructure(), (node) => {
    if (node.properties?.['provision'] === undefined || node.properties['with'] === undefined) return undefined;
    $defs['connection'] ??= choose(node, 'provision', found.filter((entry) => entry.role === 'provisioner'), 'with');
    return 'connection';
  });
  for (const entry of found) if (entry.role === 'provisioner') $defs[`with.${entry.type}`] = normalize(entry.definition.input);
  return { $schema: draft, ...schema, $defs };
}

/** Replaces the nodes that `name` names by references to `$defs`. */
function hoist(schema: JsonSchema, name: (node: JsonSchema) => string | undefined): JsonSchema {
  const definition = name(schema);
  return definition === undefined ? mapSubschemas(schema, (sub) => hoist(sub, name)) : { $ref: `#/$defs/${definition}` };
}

/** `node` with its member `input` checked against what its member `tag` names. */
function choose(node: JsonSchema, tag: string, found: readonly Found[], input: string): JsonSchema {
  if (found.length === 0) return node;
  const types = found.map((entry) => {
    const needed = (normalize(entry.definition.input).required ?? []).length > 0;
    const then: JsonSchema = { type: 'object', properties: { [input]: { $ref: `#/$defs/with.${entry.type}` } }, ...(needed ? { required: [input] } : {}) };
    return [entry.type, then] as const;
  });
  const chain = tagged(tag, types);
  const named = { ...node.properties?.[tag], enum: found.map((entry) => entry.type) };
  const { [input]: _, ...rest } = node.properties ?? {};
  return { ...node, properties: { ...rest, [tag]: named, [input]: { description: `Input of the type named by \`${tag}\`` } }, ...(chain.allOf === undefined ? {} : { allOf: chain.allOf }) };
}
