import type { BundleSummary } from './types.js';

/** The drills of one runbook in one environment, oldest first: figures of others cannot be compared with them. */
export interface Series {
  readonly runbook: string;
  readonly title: string;
  readonly environment: string;
  readonly sandbox: boolean;
  readonly drills: readonly BundleSummary[];
}

export function seriesOf(bundles: readonly BundleSummary[]): Series[] {
  const byPlace = new Map<string, BundleSummary[]>();
  for (const bundle of bundles) {
    const key = JSON.stringify([bundle.runbook.name, bundle.environment.name, bundle.environment.sandbox]);
    const known = byPlace.get(key);
    if (known === undefined) byPlace.set(key, [bundle]);
    else known.push(bundle);
  }
  return [...byPlace.values()].flatMap((drills) => {
    const last = drills.at(-1);
    return last === undefined ? [] : [{ runbook: last.runbook.name, title: last.title, environment: last.environment.name, sandbox: last.environment.sandbox, drills }];
  });
}

const bars = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/** One character for each value, from 0 to the largest; `·` where nothing was measured. The last `most` are shown. */
export function sparkline(values: readonly (number | null)[], most = 40): string {
  const shown = values.slice(-most);
  const top = Math.max(...shown.map((value) => value ?? 0));
  return shown.map((value) => (value === null ? '·' : (bars[top === 0 ? 0 : Math.min(7, Math.floor((value / top) * 7.999))] ?? ''))).join('');
}

/** Of the values there are; null of none. */
export function median(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null).toSorted((a, b) => a - b);
  const middle = known.length / 2;
  const [low, high] = [known[Math.ceil(middle) - 1], known[Math.floor(middle)]];
  return low === undefined || high === undefined ? null : (low + high) / 2;
}
