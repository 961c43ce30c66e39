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
  readonly mark: string;
  readonly tolerate: readonly { readonly unit: string; readonly reason: string }[];
}

/**
 * Applies saved plans in the order of the units' dependencies. A plan that stood on outputs that were not there is made again once
 * they are, and is applied only if it does nothing beyond the one that was looked at. Throws StepError `destroy-not-allowed`,
 * `plan-differs`, `unit-failed` and what the port throws; every unit's fate is on record by then.
 */
export async function carryOut({ connection, plan, effect, mark, tolerate }: Carried, ctx: StepContext): Promise<UnitRun[]> {
  const { terragrunt } = ctx.ports;
  refuseDestroying(plan.units, terragrunt.mayDestroy(connection), effect);
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
    for (const line of planLines(again.plan)) ctx.log(line);
    await recordPlan(ctx, connection, again.plan);
    refuseDifferent(provisional, again.plan.units);
    refuseDestroying(again.plan.units, terragrunt.mayDestroy(connection), effect);
    await apply(again.plan, again.plan.units.filter(isWork));
  }
}

/** One without changes has nothing to be applied, unless it may come to have some. */
function isWork({ facts, provisional }: UnitPlan): boolean {
  return provisional || facts.changes.length > 0 || facts.outputs.length > 0;
}

function refuseDestroying(units: readonly UnitPlan[], allowed: readonly string[], effect: 'modify' | 'destroy'): void {
  const gone = units.flatMap((unit) => goneIn(unit).map((address) => ({ unit: unit.unit, address })));
  const outside = gone.filter(({ unit, address }) => !isAllowed(allowed, unit, address));
  const list = (all: typeof gone) => all.map(({ unit, address }) => `${unit} ${address}`).slice(0, 10).join(', ');
  if (outside.length > 0) throw new StepError('destroy-not-allowed', `the plan destroys or replaces ${outside.length} that the environment does not allow to go: ${list(outside)}`, { hint: 'If a drill may do that, the connection says so: mayDestroy.' });
  if (gone.length > 0 && effect !== 'destroy') throw new StepError('destroy-not-allowed', `the plan destroys or replaces ${gone.length}, and the step is planned to modify only: ${list(gone)}`, { hint: 'Give the step effect: destroy, if that is what it is for.' });
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
