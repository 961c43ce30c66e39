import { describe, expect, it } from 'vitest';
import type { Runbook } from '../../src/engine/documents.js';
import { UsageError } from '../../src/engine/errors.js';
import { resolveInputs } from '../../src/engine/plan/inputs.js';

type InputSpec = NonNullable<Runbook['inputs']>[string];

describe('inputs of a runbook', () => {
  it('are typed as the runbook says', () => {
    const specs = { n: { type: 'integer' }, x: { type: 'number' }, on: { type: 'boolean' }, t: { type: 'duration' }, s: { type: 'string', default: 'd' } } as const;
    expect(resolveInputs(specs, { n: '12', x: '-1.5e3', on: 'false', t: '1h30m' }).values).toEqual({ n: 12, x: -1500, on: false, t: '1h30m', s: 'd' });
  });

  it.each<[InputSpec, string, string]>([
    [{ type: 'integer' }, '1.5', 'expected an integer'],
    [{ type: 'integer' }, '', 'expected an integer'],
    [{ type: 'integer' }, '9007199254740993', 'expected an integer'],
    [{ type: 'number' }, 'NaN', 'expected a number'],
    [{ type: 'boolean' }, 'yes', 'expected true or false'],
    [{ type: 'duration' }, '5 minutes', 'expected a duration'],
    [{ type: 'string', pattern: '^[a-z]+$' }, 'A', 'matching ^[a-z]+$'],
    [{ type: 'string', enum: ['a', 'b'] }, 'c', 'expected one of "a", "b"'],
    [{ type: 'number', maximum: 2 }, '3', 'at most 2'],
  ])('%j does not take %j', (spec, text, message) => {
    expect(() => resolveInputs({ it: spec }, { it: text })).toThrow(message);
  });

  it('tells everything that is wrong at once, and never a sensitive value', () => {
    const specs = { a: { type: 'integer' }, b: { type: 'string' }, c: { type: 'integer', 'x-sensitive': true } } as const;
    const wrong = (): unknown => resolveInputs(specs, { a: 'x', c: 'c4n4ry', d: '1' });
    expect(wrong).toThrow(UsageError);
    expect(wrong).toThrow(/unknown input "d"[^]*input "a": expected an integer, found "x"[^]*input "b": expected a string, found nothing; give it with --set b=[^]*input "c"/);
    expect(wrong).not.toThrow(/c4n4ry/);
  });
});
