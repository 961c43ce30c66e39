import type { Drill } from '../engine/drill.js';
import { formatDuration } from '../engine/duration.js';
import { flattenSteps, type Plan } from '../engine/plan-document.js';

export type UnitRow = NonNullable<Drill['units']>[number];

/** Units of the steps that altered something, by step: planning them altered nothing. */
export function unitsByStep({ units = [] }: Pick<Drill, 'units'>, { binding }: Plan): ReadonlyMap<string, readonly UnitRow[]> {
  const altering = new Set([...flattenSteps(binding.steps).map(({ step }) => step), ...binding.cleanup].filter(({ effect }) => effect !== 'read').map(({ id }) => id));
  const found = new Map<string, UnitRow[]>();
  for (const unit of units) {
    if (!altering.has(unit.step)) continue;
    const own = found.get(unit.step);
    if (own === undefined) found.set(unit.step, [unit]);
    else own.push(unit);
  }
  return found;
}

/** For each step of more than one unit: the chain that made it take as long as it did, `network 1.2 s → cluster 9 s`. */
export function criticalPaths(drill: Drill, plan: Plan): { readonly step: string; readonly path: string }[] {
  return [...unitsByStep(drill, plan)].flatMap(([step, units]) => {
    const chain = units.filter(({ critical }) => critical).toSorted((a, b) => (a.startMs ?? 0) - (b.startMs ?? 0));
    if (units.length < 2 || chain.length === 0) return [];
    return [{ step, path: chain.map(({ unit, durationMs }) => `${unit}${durationMs === null ? '' : ` ${formatDuration(durationMs)}`}`).join(' → ') }];
  });
}
