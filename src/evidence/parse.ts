import { canonicalJson } from '../engine/canonical.js';
import { messageOf } from '../engine/errors.js';
import { realErrors, validator } from '../engine/validators.js';
import type { Defect } from './defect.js';

/** No file of a bundle nests deeper; what does would end recursive code. */
const maxDepth = 64;

/** Many times what an honest file holds; two bytes of JSON can become sixty in memory. */
export const maxValues = 5_000_000;

/** JSON of at most `maxDepth` levels and `maxValues` values. Throws SyntaxError. */
export function parseJson(text: string): unknown {
  countValues(text);
  return JSON.parse(text);
}

/** How many values there are in JSON, about. Throws SyntaxError where they are too many, or nested too deeply. */
export function countValues(text: string): number {
  let depth = 0;
  let values = 0;
  let quoted = false;
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    if (quoted) {
      if (code === 0x5c) i += 1;
      else if (code === 0x22) quoted = false;
    } else if (code === 0x22) quoted = true;
    else if (code === 0x2c) values += 1;
    else if (code === 0x5b || code === 0x7b) {
      depth += 1;
      values += 1;
      if (depth > maxDepth) throw new SyntaxError(`nested deeper than ${maxDepth} levels`);
    } else if (code === 0x5d || code === 0x7d) depth -= 1;
  }
  if (values > maxValues) throw new SyntaxError(`more than ${maxValues} values`);
  return values;
}

/** A file that must hold one line of canonical JSON of a schema. Undefined, and a defect, when it does not. */
export function parseDocument<T>(file: string, text: string | undefined, schema: string, defects: Defect[]): T | undefined {
  if (text === undefined) return undefined;
  try {
    const value = parseJson(text);
    if (`${canonicalJson(value)}\n` !== text) defects.push({ code: 'not-canonical', file, detail: 'not one line of canonical JSON (RFC 8785)' });
    const problem = mismatch(schema, value);
    if (problem === undefined) return value as T;
    defects.push({ code: 'schema', file, detail: problem });
  } catch (error) {
    defects.push({ code: 'not-json', file, detail: messageOf(error) });
  }
  return undefined;
}

/** The first thing in which `value` does not hold to a schema. */
export function mismatch(schema: string, value: unknown): string | undefined {
  const validate = validator(schema);
  if (validate(value)) return undefined;
  const [first] = realErrors(validate);
  return first === undefined ? `does not hold to the schema ${schema}` : `${first.instancePath === '' ? 'it' : first.instancePath} ${first.message ?? 'is wrong'}`;
}
