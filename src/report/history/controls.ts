import type { ControlMapping } from '../../engine/record-documents.js';
import type { BundleSummary } from './types.js';

/** What the signatures of a bundle show. */
export interface SignatureFacts {
  /** In words: `signed by kim`, `unsigned`. */
  readonly seal: string;
  /** Who approved the plan before the run, by their own signatures. */
  readonly approvers: readonly string[];
  /** Who reviewed the bundle after it. */
  readonly reviewers: readonly string[];
  readonly sound: boolean;
}

export interface ControlDrill extends SignatureFacts {
  readonly drill: BundleSummary;
  /** Whole days since it started. */
  readonly ageDays: number;
  readonly series: DrillSeries;
}

/** The drills of one runbook in one environment up to a day, as their bundles say. */
export interface DrillSeries {
  readonly drills: number;
  readonly passed: number;
  readonly lastPass: { readonly run: string; readonly version: string; readonly startedAt: string | null } | null;
}

export interface ControlRow {
  readonly id: string;
  readonly title: string;
  readonly asks: string;
  readonly shows: readonly string[];
  readonly not: readonly string[];
  /** The latest drill of each runbook and environment that is a record for it. */
  readonly drills: readonly ControlDrill[];
}

export interface ControlMatrix {
  readonly frameworks: readonly { readonly metadata: ControlMapping['metadata']; readonly rows: readonly ControlRow[] }[];
  /** Controls that runbooks name and no mapping holds. */
  readonly unmapped: readonly { readonly id: string; readonly drills: readonly ControlDrill[] }[];
}

export const disclaimer = 'This shows which drill is a record for which control. It does not assess compliance: whether a control is met, an assessor decides.';

/** The drills that are a record for a control: of runbooks that name it, or that the mapping names. `latest` are the last of each runbook and environment, `all` every mapping that there is. */
export function controlMatrix(mappings: readonly ControlMapping[], latest: readonly ControlDrill[], all = mappings): ControlMatrix {
  const mapped = new Set(all.flatMap(({ controls }) => controls.map(({ id }) => id)));
  const named = [...new Set(latest.flatMap(({ drill }) => drill.controls))].filter((id) => !mapped.has(id)).toSorted();
  return {
    frameworks: mappings.map(({ metadata, controls }) => ({
      metadata,
      rows: controls.map(({ id, title, asks, shows, not, runbooks = [] }) => ({ id, title, asks, shows, not, drills: latest.filter(({ drill }) => drill.controls.includes(id) || runbooks.includes(drill.runbook.name)) })),
    })),
    unmapped: named.map((id) => ({ id, drills: latest.filter(({ drill }) => drill.controls.includes(id)) })),
  };
}

/** The last drill of each runbook in each environment, whatever its verdict: an earlier pass does not hide a later failure. */
export function latestDrills(bundles: readonly BundleSummary[]): { readonly drill: BundleSummary; readonly series: DrillSeries }[] {
  const series = new Map<string, BundleSummary[]>();
  for (const bundle of bundles) {
    const key = JSON.stringify([bundle.runbook.name, bundle.environment.name, bundle.environment.sandbox]);
    const own = series.get(key);
    if (own === undefined) series.set(key, [bundle]);
    else own.push(bundle);
  }
  return [...series.values()].flatMap((all) => {
    const drill = all.at(-1);
    const passed = all.filter(({ verdict }) => verdict === 'passed');
    const last = passed.at(-1);
    return drill === undefined ? [] : [{ drill, series: { drills: all.length, passed: passed.length, lastPass: last === undefined ? null : { run: last.run, version: last.runbook.version, startedAt: last.startedAt } } }];
  });
}
