/** One number of the benchmark, held against its limit. */
export interface BenchRow {
  readonly name: string;
  /** Measured against something run in the same minute; or a plain value where there is nothing to compare with. */
  readonly ratio?: number;
  readonly value?: number;
  readonly limit: number;
  /** Of `value` and `limit`: `x` for a ratio, `ms`, `MB`. */
  readonly unit: string;
  readonly ok: boolean;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return sorted.length === 0 ? Number.NaN : ((sorted[Math.ceil(middle) - 1] ?? 0) + (sorted[Math.floor(middle)] ?? 0)) / 2;
}
