import type { EventDataOf } from './events.js';

export type UnitFact = EventDataOf<'unit.finished'>;

/**
 * The chain of units that made a step take as long as it did, in the order of their work: from the one that ended last back
 * to what it had waited for the longest. Empty where none did anything.
 */
export function criticalPath(units: readonly Pick<UnitFact, 'unit' | 'started' | 'ended' | 'result' | 'after'>[]): string[] {
  const worked = new Map(units.filter(({ result }) => result !== 'excluded' && result !== 'early exit').map((unit) => [unit.unit, unit]));
  const lastOf = (names: Iterable<string>): string | undefined => {
    let last: string | undefined;
    for (const name of names) {
      const unit = worked.get(name);
      if (unit !== undefined && (last === undefined || Date.parse(unit.ended) > Date.parse(worked.get(last)?.ended ?? ''))) last = name;
    }
    return last;
  };
  const path: string[] = [];
  for (let next = lastOf(worked.keys()); next !== undefined && !path.includes(next); next = lastOf(worked.get(next)?.after ?? [])) path.unshift(next);
  return path;
}
