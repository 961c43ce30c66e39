import type { Phase } from '../engine/define-step.js';
import type { Drill } from '../engine/drill.js';
import { formatDuration } from '../engine/duration.js';
import type { Plan } from '../engine/plan-document.js';
import type { Fact, Tone } from './model-types.js';
import { hundredths } from './model-clock.js';
import { criticalPaths } from './model-units.js';
import { utc } from './visible.js';

/** One objective against what was achieved. */
export interface Objective {
  readonly short: 'RTO' | 'RPO';
  readonly title: string;
  readonly status: string;
  readonly tone: Tone;
  readonly value: string;
  readonly target: string;
  /** `12 % of the target`; empty when one of them is missing. */
  readonly share: string;
  /** Places on one axis, in percent; null when there is none. */
  readonly bar: { readonly value: number | null; readonly target: number | null };
  readonly facts: readonly Fact[];
  readonly why: string | null;
}

export interface PhaseShare {
  readonly phase: Phase;
  readonly exercised: boolean;
  readonly duration: string;
  /** Percent of the recovery, for a stacked bar. */
  readonly left: number;
  readonly width: number;
}

export interface StoreRow {
  readonly store: string;
  readonly basis: string;
  readonly value: string;
  readonly acknowledged: string;
  readonly recovered: string;
  readonly lost: string;
  readonly discarded: string;
  readonly last: string;
  readonly why: string | null;
}

const statuses = {
  met: { words: 'Objective met', tone: 'good' },
  missed: { words: 'Objective missed', tone: 'bad' },
  'not-measured': { words: 'Not measured', tone: 'warn' },
  'no-objective': { words: 'No objective', tone: 'quiet' },
} as const satisfies Record<Drill['rto']['status'], { words: string; tone: Tone }>;

const bases = {
  ledger: 'rows that clients wrote and the service acknowledged',
  samples: 'sampled time and flushed LSN of a source that we may not write',
  derived: "the backup's own data time (of an EBS snapshot: StartTime)",
  code: 'code under version control: what was rebuilt, held against it',
} as const satisfies Record<NonNullable<Drill['rpo']['basis']>, string>;

export function recoveryTime(drill: Drill, plan: Plan): Objective {
  const { rto, failovers = [] } = drill;
  const value = rto.upperMs ?? rto.valueMs;
  const facts: Fact[] = [];
  if (rto.restoredMs !== null) facts.push({ label: 'Reads and writes healthy for good', value: `${formatDuration(rto.restoredMs)} after the fault` });
  if (rto.gateMs !== null) facts.push({ label: 'Last gating check done', value: `${formatDuration(rto.gateMs)} after the fault` });
  if (rto.outageMs !== null) facts.push({ label: 'Outage that clients saw', value: formatDuration(rto.outageMs) });
  if (rto.firstFailedMs !== null) facts.push({ label: 'First failed probe', value: `${formatDuration(rto.firstFailedMs)} after the fault` });
  if (rto.valueMs !== null && rto.waitingMs > 0) facts.push({ label: 'Of it, waiting for people', value: formatDuration(rto.waitingMs) });
  if (rto.valueMs !== null && rto.waitingMs > 0 && rto.withoutWaitingMs !== null) facts.push({ label: 'Without that waiting', value: formatDuration(rto.withoutWaitingMs) });
  if (rto.valueMs !== null && rto.upperMs !== null && rto.upperMs !== rto.valueMs) {
    facts.push({ label: 'Held against the objective', value: `${formatDuration(rto.upperMs)}, the upper bound; the central figure is ${formatDuration(rto.valueMs)}` });
  }
  for (const failover of failovers) facts.push(...failoverFacts(failover, failovers.length > 1));
  for (const { step, path } of criticalPaths(drill, plan)) facts.push({ label: `Critical path of ${step}`, value: path });
  return { short: 'RTO', title: capital(rto.title), ...measured(rto.status, value, rto.objectiveMs), facts, why: rto.whyNotMeasured };
}

/** How much of the outage was what, by the run's own clock. */
function failoverFacts(failover: NonNullable<Drill['failovers']>[number], named: boolean): Fact[] {
  const { cluster, from, to, timelines, detectionMs, electionMs, promotionMs, reconnectionMs, redundancyMs } = failover;
  const known = (ms: number | null) => (ms === null ? 'not seen' : formatDuration(ms));
  const parts = `${known(detectionMs)} detection, ${known(electionMs)} election, ${known(promotionMs)} promotion, ${known(reconnectionMs)} reconnection`;
  return [
    { label: named ? `Failover of ${cluster}` : 'Failover', value: `${from ?? 'unknown'} → ${to ?? 'none'}, timeline ${timelines[0] ?? '?'} → ${timelines[1] ?? '?'}` },
    { label: 'Of it', value: parts },
    ...(redundancyMs === null ? [] : [{ label: 'All members ready again', value: `${formatDuration(redundancyMs)} after the fault` }]),
  ];
}

export function recoveryPoint({ rpo }: Drill): Objective {
  const facts: Fact[] = [];
  if (rpo.lost !== null) facts.push({ label: 'Acknowledged rows lost', value: String(rpo.lost) });
  if (rpo.basis !== null) facts.push({ label: 'Measured by', value: bases[rpo.basis] });
  return { short: 'RPO', title: 'Data loss', ...measured(rpo.status, rpo.valueMs, rpo.objectiveMs), facts, why: rpo.whyNotMeasured };
}

function measured(status: Drill['rto']['status'], value: number | null, target: number | null): Pick<Objective, 'status' | 'tone' | 'value' | 'target' | 'share' | 'bar'> {
  const axis = Math.max(value ?? 0, target ?? 0) * 1.06;
  const at = (ms: number | null) => (ms === null || axis === 0 ? null : hundredths((ms / axis) * 100));
  return {
    status: statuses[status].words,
    tone: statuses[status].tone,
    value: value === null ? '—' : formatDuration(value),
    target: target === null ? 'none set' : formatDuration(target),
    share: value === null || target === null || target === 0 ? '' : shareWords(value / target),
    bar: { value: at(value), target: at(target) },
  };
}

function shareWords(share: number): string {
  if (share < 0.01) return 'under 1 % of the target';
  return share < 10 ? `${Math.round(share * 100)} % of the target` : `${Math.round(share)} times the target`;
}

export function recoveryPhases({ rto }: Drill): PhaseShare[] {
  const total = rto.phases.reduce((sum, phase) => sum + (phase.ms ?? 0), 0);
  if (total === 0) return [];
  let left = 0;
  // Nothing is prepared after a fault, but in a planned drill something may be.
  return rto.phases.filter(({ phase, ms }) => phase !== 'prepare' || (ms ?? 0) > 0).map(({ phase, exercised, ms }) => {
    const width = hundredths(((ms ?? 0) / total) * 100);
    const share = { phase, exercised, duration: !exercised ? 'not exercised' : ms === null ? 'not known' : formatDuration(ms), left: hundredths(left), width };
    left += width;
    return share;
  });
}

export function storeRows({ rpo }: Drill): StoreRow[] {
  return rpo.stores.map((store) => ({
    store: store.store,
    basis: store.basis,
    value: store.valueMs === null ? 'not measured' : formatDuration(store.valueMs),
    acknowledged: count(store.acknowledgedBeforeFault),
    recovered: count(store.recovered),
    lost: count(store.lost),
    discarded: store.discarded === null ? '' : store.discarded.count === 0 ? '0' : `${store.discarded.count} over ${formatDuration(store.discarded.spanMs)}`,
    last: store.lastRecovered === null ? 'none' : `no. ${store.lastRecovered}${store.lastRecoveredAckAt === null ? '' : `, ${utc(store.lastRecoveredAckAt)}`}`,
    why: store.whyNotMeasured,
  }));
}

function count(n: number | null): string {
  return n === null ? '' : String(n);
}

function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}
