import { Type, type TSchema } from 'typebox';
import { durationPattern } from './duration.js';

/** Small schema helpers that the documents, events and step inputs share. */
export const strict = { additionalProperties: false } as const;

/** One of a fixed list of strings; a wrong one gives one error. */
export const literals = <const T extends string[]>(values: readonly [...T], options: { description?: string; default?: string } = {}) => Type.Enum(values, options);

export const nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);

/** `0`, `200ms`, `30s`, `15m`, `1h30m`, `2d`; milliseconds by parseDuration. */
export const Duration = (description: string) => Type.String({ pattern: durationPattern, description: `${description} A duration: 0, 200ms, 30s, 15m, 1h30m, 2d.`, examples: ['30s', '15m'] });

/**
 * Names in `with` that a runbook's or environment's author can mistype. The loader follows these annotations and refuses
 * a name that the runbook does not require (or, for provisioners, that the environment does not hold):
 * `x-connection: <kind>` names a connection of that kind, `*` of any kind; `x-endpoint: true` an endpoint;
 * `x-probe: true` a probe of the same runbook. They may stand on any string at any depth of an input.
 */
export const ConnectionName = (kind: string, description: string) => Type.String({ minLength: 1, description, 'x-connection': kind });
export const EndpointName = (description: string) => Type.String({ minLength: 1, description, 'x-endpoint': true });
export const ProbeName = (description: string) => Type.String({ minLength: 1, description, 'x-probe': true });

/**
 * Text that some interpreter runs (SQL). `x-no-template: true`: the loader refuses a `{{ }}` anywhere in it, because no
 * template is ever spliced into SQL or a shell; values go through the parameters beside it.
 */
export const FixedText = (description: string) => Type.String({ minLength: 1, description, 'x-no-template': true });
