import { canonicalJson } from '../../../engine/canonical.js';

/** One thing that must hold. Every comparison that is given must hold. */
export interface Condition {
  readonly name: string;
  readonly actual: unknown;
  readonly equals?: unknown;
  readonly atLeast?: number;
  readonly atMost?: number;
  readonly matches?: string;
  readonly before?: string;
  readonly after?: string;
}

/** Why a condition does not hold, in the words of its author; empty when it does. */
export function violations(condition: Condition): string[] {
  const { actual, equals, atLeast, atMost, matches, before, after } = condition;
  const found = `found ${shown(actual)}`;
  const why: string[] = [];
  if (equals === undefined && atLeast === undefined && atMost === undefined && matches === undefined && before === undefined && after === undefined) {
    why.push('nothing to compare with: give equals, atLeast, atMost, matches, before or after');
  }
  if (equals !== undefined && canonicalJson(equals) !== canonicalJson(actual ?? null)) why.push(`expected ${shown(equals)}, ${found}`);
  const number = toNumber(actual);
  if ((atLeast !== undefined || atMost !== undefined) && number === undefined) why.push(`expected a number, ${found}`);
  if (atLeast !== undefined && number !== undefined && number < atLeast) why.push(`expected at least ${atLeast}, ${found}`);
  if (atMost !== undefined && number !== undefined && number > atMost) why.push(`expected at most ${atMost}, ${found}`);
  if (matches !== undefined) why.push(...mismatch(matches, actual, found));
  if (before !== undefined) why.push(...inOrder(actual, before, `expected a time before ${before}, ${found}`));
  if (after !== undefined) why.push(...inOrder(after, actual, `expected a time after ${after}, ${found}`));
  return why;
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 200 ? `${text.slice(0, 200)}...` : text;
}

/** Numbers, and text that is one: SQL types wider than int4 come as text. */
function toNumber(value: unknown): number | undefined {
  if (typeof value === 'number') return value;
  return typeof value === 'string' && /^-?\d+(\.\d+)?$/.test(value) ? Number(value) : undefined;
}

function mismatch(pattern: string, actual: unknown, found: string): string[] {
  let expression: RegExp;
  try {
    expression = new RegExp(pattern, 'u');
  } catch {
    return [`${JSON.stringify(pattern)} is no regular expression`];
  }
  return typeof actual === 'string' && expression.test(actual) ? [] : [`expected text that matches ${pattern}, ${found}`];
}

function inOrder(earlier: unknown, later: unknown, message: string): string[] {
  const [first, second] = [microseconds(earlier), microseconds(later)];
  if (first === undefined || second === undefined) return [`${message}: both must be times such as 2026-03-01T10:00:00Z`];
  return first < second ? [] : [message];
}

/** Microseconds since the epoch of an ISO 8601 time with an offset; PostgreSQL's six digits are kept. */
function microseconds(value: unknown): bigint | undefined {
  const match = typeof value === 'string' ? /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,6})\d*)?(Z|[+-]\d\d(?::?\d\d)?)$/.exec(value) : null;
  if (match === null) return undefined;
  const [, date = '', time = '', fraction = '', zone = ''] = match;
  const offset = zone === 'Z' ? 'Z' : `${zone.slice(0, 3)}:${zone.slice(3).replace(':', '') || '00'}`;
  const milliseconds = Date.parse(`${date}T${time}${offset}`);
  return Number.isNaN(milliseconds) ? undefined : BigInt(milliseconds) * 1000n + BigInt(fraction.padEnd(6, '0'));
}
