import type { StepContext } from '../../../engine/define-step.js';
import type { StackHow, Unit, UnitRun } from '../../../clients/terragrunt/port.js';

/** A command whose units show in the terminal while they work. `told` resolves once all that was seen is journaled. */
export function live(ctx: StepContext, mark: string): { readonly how: StackHow; readonly told: () => Promise<void> } {
  let told: Promise<void> = Promise.resolve();
  return {
    how: {
      mark,
      onUnit: (unit) => {
        told = told.then(() => ctx.unit('running', { unit }));
      },
      onLine: (line) => ctx.log(line),
    },
    told: () => told,
  };
}

/** One event for each unit; `units` are all that the step works on. A unit that was worked on more than once counts from its first beginning to its last end, with the worst that was said of it. */
export async function recordRuns(ctx: StepContext, runs: readonly UnitRun[], units: readonly Unit[]): Promise<UnitRun[]> {
  const merged = new Map<string, UnitRun>();
  for (const run of runs) {
    const earlier = merged.get(run.unit);
    merged.set(run.unit, earlier === undefined ? run : { ...run, started: earlier.started, reason: run.reason ?? earlier.reason, cause: run.cause ?? earlier.cause });
  }
  for (const run of merged.values()) {
    const after = (units.find(({ unit }) => unit === run.unit)?.after ?? []).filter((name) => units.some(({ unit }) => unit === name));
    await ctx.unit('finished', { ...run, cause: run.cause === null ? null : run.cause.slice(0, 500), after: [...after] });
  }
  return [...merged.values()];
}
