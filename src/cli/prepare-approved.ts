import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { sha256 } from '../engine/canonical.js';
import { DocumentError, messageOf, RefusedError, UsageError } from '../engine/errors.js';
import { comparePlans } from '../engine/plan/compare.js';
import type { Plan } from '../engine/plan-document.js';
import { differenceLine } from '../report/plan-diff.js';
import { approvalsFor, type ReliedApproval } from './approvals.js';
import { parseSet } from './inputs.js';
import type { CommandIo } from './io.js';
import { observe, type ObserveOptions } from './observe.js';
import { prepareDrill, type DrillSources, type Prepared } from './prepare.js';
import { readPlan } from './plan-file.js';

export interface ApprovedSources extends ObserveOptions {
  readonly plan: string;
  /** Default: where they were when the plan was made. */
  readonly runbook: string | undefined;
  readonly environment: string | undefined;
  /** For sensitive inputs, which no plan holds. */
  readonly set: readonly string[];
}

export interface Approved {
  readonly prepared: Prepared;
  readonly approvals: readonly ReliedApproval[];
}

/**
 * Plans once more from what is on disk, and gives the plan of the file, as it was reviewed. Throws RefusedError, telling every
 * difference, unless both say the same, and when approvals are missing.
 */
export async function prepareApproved(sources: ApprovedSources, io: CommandIo): Promise<Approved> {
  const path = resolve(io.cwd, sources.plan);
  const plan = await readPlan(sources.plan, io);
  const documents = documentsOf(plan, sources, path, io);
  const prepared = await again(plan, { ...documents, set: inputsOf(plan, sources.set) }, io);
  const now = await observe(prepared, sources, io);
  const differences = comparePlans(plan.binding, now.binding);
  if (differences.length > 0) throw new RefusedError(`what would run is not what the plan says (${differences.length} ${differences.length === 1 ? 'difference' : 'differences'})`, [...differences.map(differenceLine), 'Plan, review and approve again, or restore what was changed.']);
  const approvals = await approvalsFor(plan, path, resolve(io.cwd, documents.environment), io.env);
  return { prepared: { ...prepared, plan: { ...plan, observed: now.observed } }, approvals };
}

function documentsOf(plan: Plan, { runbook, environment }: ApprovedSources, path: string, io: CommandIo): Pick<DrillSources, 'runbook' | 'environment'> {
  const known = plan.observed.documents;
  const where = (given: string | undefined, saved: string | undefined, what: string): string => {
    if (given !== undefined) return given;
    if (saved === undefined) throw new UsageError(`the plan does not say where its ${what} is: give it (muster run RUNBOOK --env ENV --plan ${path})`);
    return resolve(dirname(resolve(io.cwd, path)), saved);
  };
  return { runbook: where(runbook, known?.runbook, 'runbook'), environment: where(environment, known?.environment, 'environment') };
}

/** As text again, since that is how inputs are given; what is set here comes before. */
function inputsOf(plan: Plan, set: readonly string[]): string[] {
  const given = parseSet(set);
  const planned = Object.entries(plan.binding.inputs).flatMap(([name, value]) => ((typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') || Object.hasOwn(given, name) ? [] : [`${name}=${value}`]));
  return [...planned, ...set];
}

/** A document that was changed so that it cannot be planned is a difference too. */
async function again(plan: Plan, sources: DrillSources, io: CommandIo): Promise<Prepared> {
  try {
    return await prepareDrill(sources, io);
  } catch (error) {
    if (!(error instanceof DocumentError || error instanceof UsageError)) throw error;
    const changed: string[] = [];
    for (const name of ['runbook', 'environment'] as const) {
      const found = await readFile(resolve(io.cwd, sources[name])).then(sha256, (failed: unknown) => messageOf(failed));
      if (found !== plan.binding[name].sha256) changed.push(`${name} ${sources[name]}: sha256 ${plan.binding[name].sha256} -> ${found}`);
    }
    if (changed.length === 0) throw error;
    throw new RefusedError('what would run is not what the plan says, and cannot be planned', [...changed, ...messageOf(error).split('\n')], { cause: error });
  }
}
