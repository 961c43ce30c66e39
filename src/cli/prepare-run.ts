import { UsageError } from '../engine/errors.js';
import { refuseFailed } from '../engine/preflight.js';
import { refuseUnapproved } from './approvals.js';
import type { CommandIo } from './io.js';
import { observe, type ObserveOptions } from './observe.js';
import { prepareApproved, type Approved } from './prepare-approved.js';
import { prepareDrill } from './prepare.js';

export interface RunSources extends ObserveOptions {
  readonly runbook: string | undefined;
  readonly environment: string | undefined;
  readonly plan: string | undefined;
  readonly set: readonly string[];
}

/** What a run may begin with: planned or approved, and with a preflight that nothing failed. Throws RefusedError. */
export async function prepareRun(sources: RunSources, io: CommandIo): Promise<Approved> {
  const found = sources.plan === undefined ? await planned(sources, io) : await prepareApproved({ ...sources, plan: sources.plan }, io);
  const { plan, runbook } = found.prepared;
  refuseFailed(plan.observed.checks, runbook.document.preflight ?? 'known');
  return found;
}

async function planned({ runbook, environment, set, evidenceDir }: RunSources, io: CommandIo): Promise<Approved> {
  if (runbook === undefined || environment === undefined) throw new UsageError('give a runbook and --env, or a plan with --plan');
  const prepared = await prepareDrill({ runbook, environment, set }, io);
  refuseUnapproved(prepared.plan);
  return { prepared: { ...prepared, plan: await observe(prepared, { evidenceDir }, io) }, approvals: [] };
}
