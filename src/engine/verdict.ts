import type { Runbook } from './documents.js';
import type { Drill } from './drill.js';
import type { DrillEvent } from './events.js';
import type { Plan } from './plan-document.js';
import { deriveByRules1 } from './verdict/rules-1.js';

/** Every derivation ever published, by the number that plans and bundles name: old bundles verify for ever. */
export const rules: Record<Drill['rules'], (runbook: Runbook, plan: Plan, events: readonly DrillEvent[]) => Drill> = { 1: deriveByRules1 };

/**
 * What runbook, plan and journal prove (docs/verdict.md). Pure and synchronous: the same arguments give the same
 * result, byte for byte in canonical JSON. Takes any list of events that is valid by their schema, in whatever
 * order, and never throws: what is missing or contradictory is a reason, never a pass.
 */
export function derive(runbook: Runbook, plan: Plan, events: readonly DrillEvent[]): Drill {
  return rules[plan.binding.rules](runbook, plan, events);
}
