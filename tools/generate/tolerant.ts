import { mapSubschemas, type JsonSchema } from './json-schema.js';

/** A string that holds a template stands for a value that is known only once it is rendered. */
const template: JsonSchema = { type: 'string', pattern: '\\{\\{' };

/** The template-tolerant form: every member, at any depth, may be a template instead. The root itself may not. */
export function tolerant(schema: JsonSchema): JsonSchema {
  return mapSubschemas(schema, (sub, same) => (same ? tolerant(sub) : orTemplate(tolerant(sub))));
}

function orTemplate(schema: JsonSchema): JsonSchema {
  const constraints = Object.keys(schema).filter((keyword) => !['description', 'title', 'default', 'examples'].includes(keyword));
  const anyString = constraints.length === 0 || (constraints.length === 1 && [schema.type ?? []].flat().includes('string'));
  if (anyString) return schema;
  const { description, default: fallback, ...rest } = schema;
  return {
    ...(description === undefined ? {} : { description }),
    ...(fallback === undefined ? {} : { default: fallback }),
    if: template,
    else: { ...rest, ...(description === undefined ? {} : { description }) },
  };
}
