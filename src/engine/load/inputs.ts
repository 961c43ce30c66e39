import { durationPattern } from '../duration.js';
import { describe, listed, type Finding, type Pointer, type Report } from './report.js';
import { list, mapping, text, type Mapping } from './shape.js';

const duration = new RegExp(durationPattern);

const kinds: Readonly<Record<string, { readonly words: string; readonly is: (value: unknown) => boolean }>> = {
  string: { words: 'text', is: (value) => typeof value === 'string' },
  integer: { words: 'a whole number', is: (value) => Number.isInteger(value) },
  number: { words: 'a number', is: (value) => typeof value === 'number' },
  boolean: { words: 'true or false', is: (value) => typeof value === 'boolean' },
  duration: { words: 'a duration: 0, 200ms, 30s, 15m, 1h30m, 2d', is: (value) => typeof value === 'string' && duration.test(value) },
};

/** What a value given for an input must be; undefined when it is that. Also for values from the command line. */
function inputProblem(spec: Mapping, value: unknown): Finding | undefined {
  const kind = kinds[text(spec['type']) ?? ''];
  if (kind !== undefined && !kind.is(value)) return { message: `the value must be ${kind.words}`, expected: kind.words, found: describe(value) };
  const allowed = spec['enum'];
  if (Array.isArray(allowed) && !allowed.includes(value)) return { message: `the value must be one of ${listed(allowed.map(String))}`, expected: listed(allowed.map(String)), found: describe(value) };
  const { minimum, maximum } = spec;
  if (typeof value === 'number' && typeof minimum === 'number' && value < minimum) return { message: `the value must be at least ${minimum}`, expected: `a number >= ${minimum}`, found: describe(value) };
  if (typeof value === 'number' && typeof maximum === 'number' && value > maximum) return { message: `the value must be at most ${maximum}`, expected: `a number <= ${maximum}`, found: describe(value) };
  const pattern = regex(spec['pattern']);
  if (typeof value === 'string' && pattern !== undefined && !pattern.test(value)) return { message: 'the value must match the pattern', expected: `text that matches ${pattern.source}`, found: describe(value) };
  return undefined;
}

function regex(pattern: unknown): RegExp | undefined {
  if (typeof pattern !== 'string') return undefined;
  try {
    return new RegExp(pattern, 'u');
  } catch {
    return undefined;
  }
}

/** Defaults and allowed values must be of the input's own type. */
export function checkInputs(runbook: Mapping, report: Report): void {
  for (const [name, value] of Object.entries(mapping(runbook['inputs']))) {
    const spec = mapping(value);
    const pointer: Pointer = ['inputs', name];
    if (typeof spec['pattern'] === 'string' && regex(spec['pattern']) === undefined) report.broken([...pointer, 'pattern'], { message: 'this is no regular expression', expected: 'an ECMAScript regular expression', found: describe(spec['pattern']) });
    const { enum: _, ...plain } = spec;
    const allowed = list(spec['enum']);
    for (const [index, each] of allowed.entries()) {
      const problem = inputProblem(plain, each);
      if (problem !== undefined) report.broken([...pointer, 'enum', index], problem);
    }
    if (spec['default'] === undefined || spec['default'] === null) continue;
    const problem = inputProblem(spec, spec['default']);
    if (problem !== undefined) report.add([...pointer, 'default'], problem);
  }
}
