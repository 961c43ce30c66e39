import { Type, type TSchema } from 'typebox';
import { durationPattern } from './duration.js';

/** Small schema helpers that the documents, events and step inputs share. */
export const strict = { additionalProperties: false } as const;

/** One of a fixed list of strings; a wrong one gives one error. */
export const literals = <const T extends string[]>(values: readonly [...T], options: { description?: string; default?: string } = {}) => Type.Enum(values, options);

export const nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);

/** `0`, `200ms`, `30s`, `15m`, `1h30m`, `2d`; milliseconds by parseDuration. */
export const Duration = (description: string) => Type.String({ pattern: durationPattern, description: `${description} A duration: 0, 200ms, 30s, 15m, 1h30m, 2d.`, examples: ['30s', '15m'] });
