/** One number of the benchmark, held against its limit. */
export interface BenchRow {
  readonly name: string;
  /** A ratio to something run in the same minute where `unit` is `x`, else a plain value. */
  readonly measured: number;
  readonly limit: number;
  readonly unit: 'x' | 'ms' | 'MB';
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return sorted.length === 0 ? Number.NaN : ((sorted[Math.ceil(middle) - 1] ?? 0) + (sorted[Math.floor(middle)] ?? 0)) / 2;
}

/** Median of the ratios a/b of measurements taken in turn, a b a b: what else the machine does then weighs on both. */
export async function ratioInTurn(rounds: number, a: () => Promise<number> | number, b: () => Promise<number> | number): Promise<number> {
  const ratios: number[] = [];
  for (let round = 0; round < rounds; round += 1) ratios.push((await a()) / (await b()));
  return median(ratios);
}
