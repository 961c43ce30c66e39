/** JSON Schema (2020-12) as plain data: what TypeBox schemas are once their types are gone. */
export interface JsonSchema {
  [keyword: string]: unknown;
  type?: string | string[];
  properties?: Record<string, JsonSchema>;
  patternProperties?: Record<string, JsonSchema>;
  additionalProperties?: boolean | JsonSchema;
  required?: string[];
  items?: boolean | JsonSchema;
  prefixItems?: JsonSchema[];
  anyOf?: JsonSchema[];
  allOf?: JsonSchema[];
  if?: JsonSchema;
  then?: JsonSchema;
  else?: JsonSchema;
  enum?: unknown[];
  const?: unknown;
  description?: string;
  title?: string;
  default?: unknown;
  $ref?: string;
  $defs?: Record<string, JsonSchema>;
}

/** A copy of `schema` in which `change` was applied to every direct subschema; `same` ones describe the same value as `schema` does. */
export function mapSubschemas(schema: JsonSchema, change: (sub: JsonSchema, same: boolean) => JsonSchema): JsonSchema {
  const copy: JsonSchema = { ...schema };
  const all = (record: Record<string, JsonSchema>) => Object.fromEntries(Object.entries(record).map(([name, sub]) => [name, change(sub, false)]));
  if (schema.properties) copy.properties = all(schema.properties);
  if (schema.patternProperties) copy.patternProperties = all(schema.patternProperties);
  if (typeof schema.additionalProperties === 'object') copy.additionalProperties = change(schema.additionalProperties, false);
  if (typeof schema.items === 'object') copy.items = change(schema.items, false);
  if (schema.prefixItems) copy.prefixItems = schema.prefixItems.map((sub) => change(sub, false));
  if (schema.anyOf) copy.anyOf = schema.anyOf.map((sub) => change(sub, true));
  if (schema.allOf) copy.allOf = schema.allOf.map((sub) => change(sub, true));
  if (schema.then) copy.then = change(schema.then, true);
  if (schema.else) copy.else = change(schema.else, true);
  return copy;
}
