import type { TSchema } from 'typebox';
import { mapSubschemas, type JsonSchema } from './json-schema.js';

/** The 2020-12 schema of a TypeBox schema, shaped so that one wrong field gives one error. */
export function normalize(schema: TSchema): JsonSchema {
  return tidy(JSON.parse(JSON.stringify(schema)) as JsonSchema);
}

/** Our annotations (`x-...`) are no vocabulary that a strict validator knows. */
const annotation = /^x-/;

function tidy(schema: JsonSchema): JsonSchema {
  const own = Object.fromEntries(Object.entries(schema).filter(([keyword]) => !annotation.test(keyword))) as JsonSchema;
  const tupled = Array.isArray(own.items) ? tuple(own) : own;
  const record = records(mapSubschemas(tupled, tidy));
  if (record.anyOf === undefined) return record;
  const { anyOf, ...rest } = record;
  return { ...rest, ...union(anyOf) };
}

/** TypeBox writes tuples in the form of the drafts before 2020-12. */
function tuple(schema: JsonSchema): JsonSchema {
  const { items, additionalItems: _, ...rest } = schema;
  return { ...rest, prefixItems: items as unknown as JsonSchema[], items: false };
}

/** A record whose keys have a pattern takes no other keys. */
function records(schema: JsonSchema): JsonSchema {
  if (schema.patternProperties === undefined || schema.additionalProperties !== undefined) return schema;
  const { patternProperties, ...rest } = schema;
  const any = patternProperties['^.*$'];
  if (any !== undefined) return { ...rest, additionalProperties: Object.keys(any).length === 0 ? true : any };
  return { ...schema, additionalProperties: false };
}

/** The members of a union become one schema that first decides which member is meant, then reports that one's errors. */
function union(members: readonly JsonSchema[]): JsonSchema {
  const values = members.flatMap((member) => ('const' in member ? [member.const] : (member.enum ?? [])));
  if (values.length > 0 && members.every((member) => 'const' in member || (member.enum !== undefined && Object.keys(member).length <= 2))) return { enum: values };
  if (members.every(isBareScalar)) return { type: [...new Set(members.flatMap((member) => member.type ?? []))] };
  const [first, second, ...more] = members;
  if (first !== undefined && second !== undefined && more.length === 0) {
    if (isNull(second)) return { if: { not: { type: 'null' } }, then: first };
    if (isNull(first)) return { if: { not: { type: 'null' } }, then: second };
  }
  return byType(members) ?? byTag(members) ?? byKey(members) ?? { anyOf: [...members] };
}

const isNull = (schema: JsonSchema) => schema.type === 'null';
const isBareScalar = (schema: JsonSchema) =>
  typeof schema.type === 'string' && ['string', 'number', 'integer', 'boolean', 'null'].includes(schema.type) && Object.keys(schema).every((keyword) => keyword === 'type' || keyword === 'description');

/** Members of different JSON types. */
function byType(members: readonly JsonSchema[]): JsonSchema | undefined {
  const types = members.map((member) => (typeof member.type === 'string' ? member.type : undefined));
  if (types.includes(undefined) || new Set(types).size !== types.length || (types.includes('number') && types.includes('integer'))) return undefined;
  return { type: types as string[], allOf: members.map((member) => ({ if: { type: member.type } as JsonSchema, then: member })) };
}

/** Objects that all have a required property with a different constant each. */
function byTag(members: readonly JsonSchema[]): JsonSchema | undefined {
  const constants = (member: JsonSchema) => (member.required ?? []).filter((name) => member.properties?.[name]?.const !== undefined);
  const tag = constants(members[0] ?? {}).find((name) => members.every((member) => constants(member).includes(name)));
  if (tag === undefined) return undefined;
  const value = (member: JsonSchema) => member.properties?.[tag]?.const;
  return tagged(tag, members.map((member) => [value(member), member]));
}

/** `{ [tag]: value, ... }` checked against the schema that belongs to the value. */
export function tagged(tag: string, choices: readonly (readonly [unknown, JsonSchema])[]): JsonSchema {
  return {
    type: 'object',
    properties: { [tag]: { enum: choices.map(([value]) => value) } },
    required: [tag],
    allOf: choices.map(([value, then]) => ({ if: { type: 'object', properties: { [tag]: { const: value } }, required: [tag] }, then })),
  };
}

/** Two kinds of objects, told apart by a required key that the other does not have. */
function byKey(members: readonly JsonSchema[]): JsonSchema | undefined {
  const [first, second] = members;
  if (members.length !== 2 || first?.properties === undefined || second?.properties === undefined) return undefined;
  const only = (a: JsonSchema, b: JsonSchema) => a.required?.find((key) => b.properties?.[key] === undefined);
  const [key, holder, other] = [only(second, first), second, first];
  if (key === undefined) return undefined;
  return { if: { type: 'object', properties: { [key]: {} }, required: [key] }, then: holder, else: other };
}
