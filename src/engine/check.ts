import type { Static, TSchema } from 'typebox';

/**
 * Checks values against the schemas of definitions that are already loaded, so that a run needs no second form of
 * them. `typebox/schema` is loaded when a run first needs it; `typebox/value` would load
 * as much again.
 */
export interface SchemaCheck {
  <S extends TSchema>(schema: S, value: unknown): value is Static<S>;
  /** What is wrong, one line each: `/port must be integer`. */
  problems(schema: TSchema, value: unknown): string[];
}

export async function loadSchemaCheck(): Promise<SchemaCheck> {
  const { Check, Errors } = await import('typebox/schema');
  const check = <S extends TSchema>(schema: S, value: unknown): value is Static<S> => Check(schema, value);
  return Object.assign(check, {
    problems: (schema: TSchema, value: unknown) =>
      Errors(schema, value)[1]
        .filter((error) => error.keyword !== 'boolean')
        .map((error) => `${error.instancePath === '' ? '/' : error.instancePath} ${error.message}`),
  });
}
