import type { Drill, ReasonCode, Verdict } from '../../engine/drill.js';
import type { Plan } from '../../engine/plan-document.js';

/** What is kept of a bundle where many are looked at: what it says of itself, not verified. */
export interface BundleSummary {
  /** The folder's name. */
  readonly folder: string;
  /** Of its tag manifest: names the bundle as a whole. */
  readonly sha256: string;
  readonly run: string;
  readonly verdict: Verdict;
  readonly reasons: readonly { readonly code: ReasonCode; readonly step?: string; readonly detail: string }[];
  readonly title: string;
  readonly runbook: { readonly name: string; readonly version: string; readonly sha256: string; readonly owner: string };
  readonly environment: { readonly name: string; readonly sandbox: boolean; readonly sha256: string };
  readonly tool: string;
  readonly controls: readonly string[];
  readonly fault: Plan['binding']['fault'];
  /** UTC; null when the run never started. */
  readonly startedAt: string | null;
  readonly finishedAt: string | null;
  /** `ms` is the figure that was held against the objective. */
  readonly rto: Figure;
  readonly rpo: Figure & { readonly lost: number | null };
  readonly outageMs: number | null;
  readonly manual: Drill['manual'];
  /** What the evidence store held when it began; absent: there was none. */
  readonly store?: NonNullable<Drill['store']>;
}

export interface Figure {
  readonly status: Drill['rto']['status'];
  readonly ms: number | null;
  readonly objectiveMs: number | null;
}

/** A folder that looks like a bundle and cannot be read as one. */
export interface Unreadable {
  readonly folder: string;
  readonly why: string;
}

/** What was sent of a drill, and to whom; written down beside its bundle, which was there before. */
export interface Delivery {
  readonly sink: 'otel' | 'webhook';
  /** An address without what is secret in it, or `$` and the variable that holds it. */
  readonly to: string;
  readonly ok: boolean;
  /** Null: the sink's own library tried, and does not say how often. */
  readonly attempts: number | null;
  readonly error: string | null;
  /** UTC. */
  readonly at: string;
}

export interface Undelivered {
  readonly run: string;
  readonly delivery: Delivery;
}

/** Runs that a store holds without their bundles. */
export interface WithoutBundle {
  readonly store: string;
  /** The run that saw it so when it began; null: seen now. */
  readonly seenBy: string | null;
  readonly open: NonNullable<Drill['store']>['open'];
}

export interface History {
  /** The folder of bundles, resolved. */
  readonly root: string;
  /** Oldest first. */
  readonly bundles: readonly BundleSummary[];
  readonly unreadable: readonly Unreadable[];
}
