import type { Runbook } from '../documents.js';
import { durationPattern } from '../duration.js';
import { UsageError } from '../errors.js';

export type InputValue = string | number | boolean;
type InputSpec = NonNullable<Runbook['inputs']>[string];

export interface ResolvedInputs {
  /** Every input of the runbook by name. */
  readonly values: Readonly<Record<string, InputValue>>;
  /** Names of those that are redacted everywhere. */
  readonly sensitive: readonly string[];
}

/** The runbook's inputs: what was set (as text, by name), else the defaults. Throws UsageError with ALL problems. */
export function resolveInputs(specs: Runbook['inputs'], set: Readonly<Record<string, string>>): ResolvedInputs {
  const problems: string[] = [];
  const values: Record<string, InputValue> = {};
  const known = specs ?? {};
  for (const name of Object.keys(set)) {
    if (Object.hasOwn(known, name)) continue;
    const names = Object.keys(known);
    problems.push(`unknown input ${JSON.stringify(name)}: ${names.length === 0 ? 'this runbook has no inputs' : `expected one of ${names.join(', ')}`}`);
  }
  for (const [name, spec] of Object.entries(known)) {
    const text = Object.hasOwn(set, name) ? set[name] : undefined;
    const value = text === undefined ? spec.default : typed(spec, text);
    if (value === undefined && text === undefined) {
      problems.push(`input ${JSON.stringify(name)}: expected ${expectation(spec)}, found nothing; give it with --set ${name}=...`);
    } else if (value === undefined || !fits(spec, value)) {
      const found = spec['x-sensitive'] === true ? 'a value that does not fit' : JSON.stringify(text ?? value);
      problems.push(`input ${JSON.stringify(name)}: expected ${expectation(spec)}, found ${found}`);
    } else values[name] = value;
  }
  if (problems.length > 0) throw new UsageError(problems.join('\n'));
  return { values, sensitive: Object.keys(known).filter((name) => known[name]?.['x-sensitive'] === true) };
}

/** undefined when `text` is not of the input's type. */
function typed(spec: InputSpec, text: string): InputValue | undefined {
  switch (spec.type) {
    case 'integer':
      return /^-?\d+$/.test(text) ? Number(text) : undefined;
    case 'number':
      return /^-?\d+(\.\d+)?([eE][-+]?\d+)?$/.test(text) ? Number(text) : undefined;
    case 'boolean':
      return text === 'true' ? true : text === 'false' ? false : undefined;
    case 'string':
    case 'duration':
      return text;
  }
}

function fits(spec: InputSpec, value: InputValue): boolean {
  if (spec.type === 'integer' && !Number.isSafeInteger(value)) return false;
  if (spec.type === 'number' && typeof value !== 'number') return false;
  if (spec.type === 'boolean' && typeof value !== 'boolean') return false;
  if ((spec.type === 'string' || spec.type === 'duration') && typeof value !== 'string') return false;
  if (spec.type === 'duration' && !new RegExp(durationPattern).test(String(value))) return false;
  if (typeof value === 'number' && (value < (spec.minimum ?? -Infinity) || value > (spec.maximum ?? Infinity))) return false;
  if (typeof value === 'string' && spec.pattern !== undefined && !new RegExp(spec.pattern, 'u').test(value)) return false;
  return spec.enum === undefined || typeof value === 'boolean' || spec.enum.includes(value);
}

function expectation(spec: InputSpec): string {
  if (spec.enum !== undefined) return `one of ${spec.enum.map((value) => JSON.stringify(value)).join(', ')}`;
  const names = { string: 'a string', integer: 'an integer', number: 'a number', boolean: 'true or false', duration: 'a duration such as 200ms, 30s or 1h30m' };
  const bounds = [
    ...(spec.minimum === undefined ? [] : [`at least ${spec.minimum}`]),
    ...(spec.maximum === undefined ? [] : [`at most ${spec.maximum}`]),
    ...(spec.pattern === undefined ? [] : [`matching ${spec.pattern}`]),
  ];
  return [names[spec.type], ...(bounds.length === 0 ? [] : [bounds.join(' and ')])].join(', ');
}
