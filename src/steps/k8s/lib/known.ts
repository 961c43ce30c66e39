import type { Plannable } from '../../../engine/define-step.js';
import { isUnknown } from '../../../engine/plannable.js';

/** The input, if no leaf of it waits for the run. */
export function whollyKnown<T>(given: Plannable<T>): T | undefined {
  return holdsUnknown(given) ? undefined : (given as T);
}

function holdsUnknown(value: unknown): boolean {
  if (isUnknown(value)) return true;
  if (typeof value !== 'object' || value === null) return false;
  return Object.values(value).some(holdsUnknown);
}
