import type { Runbook } from '../../engine/documents.js';
import type { BundleSummary } from './types.js';

export type Cadence = NonNullable<Runbook['metadata']['cadence']>;

/** Calendar months, or days where there are none; and how many days late a drill may be before it is overdue. */
const cadences = {
  weekly: { months: 0, days: 7, grace: 2 },
  monthly: { months: 1, days: 0, grace: 7 },
  quarterly: { months: 3, days: 0, grace: 14 },
  'half-yearly': { months: 6, days: 0, grace: 21 },
  yearly: { months: 12, days: 0, grace: 30 },
} as const satisfies Record<Cadence, { months: number; days: number; grace: number }>;

const day = 86_400_000;

/** A runbook as it is now, and the environments that lie beside it. */
export interface CurrentRunbook {
  readonly path: string;
  readonly name: string;
  readonly version: string;
  readonly title: string;
  readonly owner: string;
  readonly cadence: Cadence | null;
  readonly sha256: string;
  /** sha256 by name. */
  readonly environments: ReadonlyMap<string, string>;
}

/**
 * `current`: passed within its cadence. `due`: the cadence is over but the grace is not, or the last pass is void. `overdue`:
 * the grace is over as well. `never-run`, `never-passed`: nothing shows that it works; that counts as overdue.
 * `no-cadence`: the runbook does not say how often.
 */
export type DueState = 'current' | 'due' | 'overdue' | 'never-run' | 'never-passed' | 'no-cadence';

export interface Due {
  readonly runbook: CurrentRunbook;
  readonly state: DueState;
  readonly lastRun: BundleSummary | null;
  readonly lastPass: BundleSummary | null;
  /** What changed since the last pass, so that it shows nothing about the runbook as it is now. */
  readonly voidedBy: readonly string[];
  /** When the next pass is due (UTC); null without a cadence or a pass. Now, where the last pass is void. */
  readonly dueAt: string | null;
  /** From then on it is overdue. */
  readonly overdueAt: string | null;
  /** What could not be compared. */
  readonly notes: readonly string[];
}

export interface DueRequest {
  readonly runbook: CurrentRunbook;
  /** Of this runbook, oldest first, none after `now`. */
  readonly drills: readonly BundleSummary[];
  /** Its last pass whose bundle was verified; null when there is none. */
  readonly lastPass: BundleSummary | null;
  readonly tool: string;
  readonly now: Date;
  /** Instead of the cadence's own. */
  readonly graceDays: number | null;
}

/** Where a runbook stands. A void pass makes it due at once; how long it may stay so is counted from that pass. */
export function dueOf({ runbook, drills, lastPass, tool, now, graceDays }: DueRequest): Due {
  const notes: string[] = [];
  const voidedBy = lastPass === null ? [] : changesSince(lastPass, runbook, tool, notes);
  const base = { runbook, lastRun: drills.at(-1) ?? null, lastPass, voidedBy, notes };
  if (runbook.cadence === null) return { ...base, state: 'no-cadence', dueAt: null, overdueAt: null };
  if (lastPass?.startedAt == null) return { ...base, state: drills.length === 0 ? 'never-run' : 'never-passed', dueAt: null, overdueAt: null };
  const cadence = cadences[runbook.cadence];
  const end = after(new Date(lastPass.startedAt), cadence);
  const overdue = new Date(end.getTime() + (graceDays ?? cadence.grace) * day);
  const state = now > overdue ? 'overdue' : now > end || voidedBy.length > 0 ? 'due' : 'current';
  const dueAt = voidedBy.length > 0 && now < end ? now : end;
  return { ...base, state, dueAt: dueAt.toISOString(), overdueAt: overdue.toISOString() };
}

/** Nothing shows that it works now: what `muster status` exits with 1 for. */
export function isOverdue({ state }: Due): boolean {
  return state === 'overdue' || state === 'never-run' || state === 'never-passed';
}

function changesSince(pass: BundleSummary, runbook: CurrentRunbook, tool: string, notes: string[]): string[] {
  const changes: string[] = [];
  if (pass.runbook.sha256 !== runbook.sha256) changes.push(pass.runbook.version === runbook.version ? `the runbook changed, though its version is still ${runbook.version}` : `the runbook changed: ${pass.runbook.version} -> ${runbook.version}`);
  const environment = runbook.environments.get(pass.environment.name);
  if (environment === undefined) notes.push(`the environment ${pass.environment.name} is not here: whether it changed is not known`);
  else if (environment !== pass.environment.sha256) changes.push(`the environment ${pass.environment.name} changed`);
  if (pass.tool !== tool) changes.push(`Muster changed: ${pass.tool} -> ${tool}`);
  return changes;
}

/** The same day of a later month, or that month's last: three months after 30 November is 28 February. */
function after(from: Date, { months, days }: { months: number; days: number }): Date {
  const to = new Date(from.getTime() + days * day);
  const wanted = to.getUTCDate();
  to.setUTCDate(1);
  to.setUTCMonth(to.getUTCMonth() + months);
  const lastDay = new Date(Date.UTC(to.getUTCFullYear(), to.getUTCMonth() + 1, 0)).getUTCDate();
  to.setUTCDate(Math.min(wanted, lastDay));
  return to;
}
