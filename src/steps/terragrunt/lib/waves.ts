import type { UnitPlan } from '../../../clients/terragrunt/port.js';

/** What is to be done, in turns: each unit comes after all that it hangs on, or before it when everything goes down. */
export function wavesOf(units: readonly UnitPlan[], destroy: boolean): UnitPlan[][] {
  const turn = new Map<string, number>();
  const byName = new Map(units.map((unit) => [unit.unit, unit]));
  const turnOf = (unit: UnitPlan): number => {
    const known = turn.get(unit.unit);
    if (known !== undefined) return known;
    turn.set(unit.unit, 0);
    const before = unit.after.flatMap((name) => byName.get(name) ?? []).map((each) => turnOf(each) + 1);
    const own = Math.max(0, ...before);
    turn.set(unit.unit, own);
    return own;
  };
  const waves: UnitPlan[][] = [];
  for (const unit of units) (waves[turnOf(unit)] ??= []).push(unit);
  return destroy ? waves.toReversed() : waves;
}

/** What a plan that was made again would do beyond the one that was looked at: resource addresses with the action. */
export function beyond(reviewed: UnitPlan, again: UnitPlan): string[] {
  const seen = new Map(reviewed.facts.changes.map(({ address, action }) => [address, action]));
  return again.facts.changes.filter(({ address, action }) => seen.get(address) !== action).map(({ address, action }) => `${action} ${address}`);
}

/** `*` stands for any text. */
export function isAllowed(patterns: readonly string[], unit: string, address: string): boolean {
  return patterns.some((pattern) => new RegExp(`^${pattern.split('*').map((part) => part.replace(/[\\^$.+?()[\]{}|]/g, '\\$&')).join('.*')}$`, 's').test(`${unit} ${address}`));
}
