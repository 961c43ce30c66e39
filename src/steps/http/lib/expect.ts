import { Type, type Static } from 'typebox';
import type { HttpResponse } from '../../../clients/http/port.js';
import { canonicalJson } from '../../../engine/canonical.js';
import { strict } from '../../../engine/schema.js';

/** What an answer must be like. */
export const Expectation = Type.Object(
  {
    status: Type.Optional(Type.Integer({ minimum: 100, maximum: 599, default: 200 })),
    bodyContains: Type.Optional(Type.String({ minLength: 1, description: 'Text in the first 64 KiB of the body' })),
    json: Type.Optional(Type.Record(Type.String({ minLength: 1 }), Type.Unknown(), { description: 'Values in the JSON body by dotted path: `{ status.database: up }`; array members by index' })),
  },
  strict,
);
export const Headers = Type.Record(Type.String({ minLength: 1 }), Type.String(), { description: 'Request headers' });

/** What an answer lacks; empty when it is as expected. Says nothing of the body's content beyond what was asked for. */
export function shortfalls(response: HttpResponse, { status = 200, bodyContains, json }: Static<typeof Expectation>): string[] {
  const why: string[] = [];
  if (response.status !== status) why.push(`expected status ${status}, found ${response.status}`);
  if (bodyContains !== undefined && !response.body.includes(bodyContains)) why.push(`expected a body that contains ${JSON.stringify(bodyContains)}`);
  if (json !== undefined) why.push(...jsonShortfalls(response.body, json));
  return why;
}

function jsonShortfalls(body: string, expected: Readonly<Record<string, unknown>>): string[] {
  let document: unknown;
  try {
    document = JSON.parse(body);
  } catch {
    return ['expected a JSON body'];
  }
  return Object.entries(expected).flatMap(([path, value]) => {
    const found = at(document, path.split('.'));
    return found !== undefined && canonicalJson(found) === canonicalJson(value) ? [] : [`expected ${path} to be ${JSON.stringify(value)}, found ${found === undefined ? 'nothing' : JSON.stringify(found).slice(0, 200)}`];
  });
}

function at(value: unknown, [first, ...rest]: readonly string[]): unknown {
  if (first === undefined) return value;
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, first)) return undefined;
  return at(Object.entries(value).find(([name]) => name === first)?.[1], rest);
}
