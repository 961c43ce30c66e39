import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { messageOf, RefusedError, UsageError } from '../engine/errors.js';
import { planDigest } from '../engine/plan.js';
import type { Plan } from '../engine/plan-document.js';
import { mismatch, parseJson } from '../evidence/parse.js';
import type { CommandIo } from './io.js';

/** Reads a saved plan. Throws UsageError when it is none; RefusedError when its digest is not that of its binding. */
export async function readPlan(path: string, io: CommandIo): Promise<Plan> {
  let value: unknown;
  try {
    value = parseJson(await readFile(resolve(io.cwd, path), 'utf8'));
  } catch (error) {
    throw new UsageError(`${path} cannot be read as a plan: ${messageOf(error)}`);
  }
  const problem = mismatch('plan', value);
  if (problem !== undefined) throw new UsageError(`${path} is no plan of this version of Muster: ${problem}`);
  const plan = value as Plan;
  const digest = planDigest(plan.binding);
  if (digest !== plan.digest) throw new RefusedError(`${path} was changed: its binding has the digest ${digest}, it says ${plan.digest}`, ['Make a plan again with: muster plan RUNBOOK --env ENV --out FILE']);
  return plan;
}
