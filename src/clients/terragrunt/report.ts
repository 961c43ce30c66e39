import { Check } from 'typebox/schema';
import { Type } from 'typebox';
import { StepError } from '../../engine/errors.js';
import type { Unit, UnitRun } from './port.js';

/** Terragrunt's report in JSON (schemas v1 and v2); members that it gains are let through. */
const Report = Type.Array(
  Type.Object({ Name: Type.String(), Started: Type.String(), Ended: Type.String(), Result: Type.String(), Reason: Type.Optional(Type.String()), Cause: Type.Optional(Type.String()) }),
);

/** Throws StepError `no-report`. */
export function readReport(text: string): UnitRun[] {
  const runs = parsed(text);
  if (!Check(Report, runs)) throw new StepError('no-report', 'the report that Terragrunt wrote is not of the form that its documentation gives');
  return runs.map(({ Name, Started, Ended, Result, Reason, Cause }) => ({ unit: Name, started: utc(Started), ended: utc(Ended), result: Result, reason: Reason === undefined || Reason === '' ? null : Reason, cause: Cause === undefined || Cause === '' ? null : Cause }));
}

function utc(time: string): string {
  const ms = Date.parse(time);
  if (Number.isNaN(ms)) throw new StepError('no-report', `the report of Terragrunt has ${JSON.stringify(time.slice(0, 40))} where a time should be`);
  return new Date(ms).toISOString();
}

const Found = Type.Array(Type.Object({ type: Type.String(), path: Type.String(), dependencies: Type.Optional(Type.Array(Type.String())) }));

/** From `find --json --dag --dependencies`. */
export function readUnits(text: string): Unit[] {
  const found = parsed(text);
  if (!Check(Found, found)) throw new StepError('terragrunt-failed', 'what terragrunt find --json wrote is not of the form that its documentation gives');
  return found.filter(({ type }) => type === 'unit').map(({ path, dependencies = [] }) => ({ unit: path, after: dependencies }));
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** `12:00:01.123 STDOUT [network] terraform: ...`: the unit that a line of Terragrunt's log is about. */
export function unitOfLine(line: string): string | undefined {
  return /^\S+\s+[A-Z]+\s+\[([^\]]+)\]/.exec(line)?.[1];
}
