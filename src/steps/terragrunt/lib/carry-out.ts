import type { StepContext } from '../../../engine/define-step.js';
import { StepError } from '../../../engine/errors.js';
import type { StackPlan, UnitPlan, UnitRun } from '../../../clients/terragrunt/port.js';
import { goneIn, planLines, recordPlan } from './evidence.js';
import { live, recordRuns } from './live.js';
import { beyond, isAllowed, wavesOf } from './waves.js';

interface Carried {
  readonly connection: string;
  readonly plan: StackPlan;
  readonly effect: 'modify' | 'destroy';
  /** As the step says; the environment has its own. */
  readonly mayDestroy: readonly string[];
  readonly mark: string;
  readonly tolerate: readonly { readonly unit: string; readonly reason: string }[];
}

/**
 * Applies saved plans in the order of the units' dependencies. A plan that stood on outputs that were not there is made again once
 * they are, and is applied only if it does nothing beyond the one that was looked at. Throws StepError `not-allowed-to-destroy`,
 * `plan-differs`, `unit-failed` and what the port throws; every unit's fate is on record by then.
 */
export async function carryOut({ connection, plan, effect, mayDestroy, mark, tolerate }: Carried, ctx: StepContext): Promise<UnitRun[]> {
  const { terragrunt } = ctx.ports;
  const boundary = terragrunt.mayDestroy(connection);
  refuseDestroying(connection, plan.units, mayDestroy, boundary);
  const { how, told } = live(ctx, mark);
  const work = plan.units.filter(isWork);
  const all: UnitRun[] = [];
  for (const wave of wavesOf(work, plan.destroy)) {
    const runs: UnitRun[] = [];
    try {
      await oneWave(wave, runs);
    } finally {
      // Also where it failed: how each unit fared is on record.
      await told();
      all.push(...(await recordRuns(ctx, runs, work)));
    }
  }
  return all;

  async function oneWave(wave: readonly UnitPlan[], runs: UnitRun[]): Promise<void> {
    const apply = async (saved: StackPlan, units: readonly UnitPlan[]): Promise<void> => {
      if (units.length === 0) return;
      runs.push(...(await terragrunt.apply(connection, saved, units.map(({ unit }) => unit), effect, how, ctx.signal)));
      const failure = terragrunt.failureOf('apply', runs);
      if (failure !== undefined) throw failure;
      refuseUnclean(runs, tolerate);
    };
    await apply(plan, wave.filter(({ provisional }) => !provisional));
    const provisional = wave.filter((unit) => unit.provisional);
    if (provisional.length === 0) return;
    const again = await terragrunt.plan(connection, { units: provisional.map(({ unit }) => unit), env: plan.env, targets: plan.targets, destroy: plan.destroy }, how, ctx.signal);
    runs.push(...again.runs);
    refuseUnclean(runs, tolerate);
    for (const line of planLines(again.plan)) ctx.log(line);
    await recordPlan(ctx, connection, again.plan);
    refuseDifferent(provisional, again.plan.units);
    refuseDestroying(connection, again.plan.units, mayDestroy, boundary);
    await apply(again.plan, again.plan.units.filter(isWork));
  }
}

/** One without changes has nothing to be applied, unless it may come to have some. */
function isWork({ facts, provisional }: UnitPlan): boolean {
  return provisional || facts.changes.length > 0 || facts.outputs.length > 0;
}

/** Whatever goes, the step and the environment must both allow. */
function refuseDestroying(connection: string, units: readonly UnitPlan[], asked: readonly string[], boundary: readonly string[]): void {
  const gone = units.flatMap((unit) => goneIn(unit).map((address) => ({ unit: unit.unit, address })));
  const lacking = gone.flatMap(({ unit, address }) => {
    if (!isAllowed(asked, unit, address)) return [`${unit} ${address} (mayDestroy of the step)`];
    return isAllowed(boundary, unit, address) ? [] : [`${unit} ${address} (mayDestroy of connection ${connection})`];
  });
  if (lacking.length === 0) return;
  const more = lacking.length > 10 ? ` and ${lacking.length - 10} more` : '';
  throw new StepError('not-allowed-to-destroy', `the plan would destroy or replace what it may not: ${lacking.slice(0, 10).join(', ')}${more}`, { hint: 'Look at the plan. If that is meant, the step and the environment must both allow it.' });
}

function refuseDifferent(reviewed: readonly UnitPlan[], again: readonly UnitPlan[]): void {
  const more = again.flatMap((unit) => {
    const before = reviewed.find((each) => each.unit === unit.unit);
    return before === undefined ? [] : beyond(before, unit).map((what) => `${unit.unit}: ${what}`);
  });
  if (more.length > 0) throw new StepError('plan-differs', `planned again on real outputs, it would do more than was looked at: ${more.slice(0, 10).join(', ')}`, { hint: 'Plan again, and have the new plan looked at.' });
}

function refuseUnclean(runs: readonly UnitRun[], tolerate: Carried['tolerate']): void {
  const unclean = runs.filter(({ unit, result, reason }) => result === 'succeeded' && reason !== null && !tolerate.some((each) => each.unit === unit && each.reason === reason));
  if (unclean.length === 0) return;
  throw new StepError('unit-not-clean', unclean.map(({ unit, reason, cause }) => `unit ${unit}: ${reason ?? ''}${cause === null ? '' : ` (${cause})`}`).join('; '), { hint: 'What failed and came through all the same is no clean rebuild. Where that is meant to be, the step says so: tolerate.' });
}
