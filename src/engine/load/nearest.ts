/**
 * The candidate that `name` was most likely meant to be: at most a third of its letters mistyped, swapped, missing or
 * extra. A system that both have in common (`postgres.`) counts for nothing.
 */
export function nearest(name: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const candidate of candidates) {
    const shared = name.indexOf('.') + 1;
    const from = name.slice(0, shared) === candidate.slice(0, shared) ? shared : 0;
    const most = Math.max(1, Math.floor((name.length - from) / 3));
    if (candidate === name || Math.abs(candidate.length - name.length) > most) continue;
    const distance = edits(name.slice(from).toLowerCase(), candidate.slice(from).toLowerCase());
    if (distance <= most && distance < least) [best, least] = [candidate, distance];
  }
  return best;
}

/** `did you mean "x"?` for the nearest candidate, if there is one. */
export function didYouMean(name: string, candidates: Iterable<string>): string | undefined {
  const found = nearest(name, candidates);
  return found === undefined ? undefined : `did you mean "${found}"?`;
}

/** Optimal string alignment distance: insertions, deletions, substitutions and swaps of neighbours. */
function edits(a: string, b: string): number {
  let before: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      let least = Math.min((row[j - 1] ?? 0) + 1, (previous[j] ?? 0) + 1, (previous[j - 1] ?? 0) + cost);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) least = Math.min(least, (before[j - 2] ?? 0) + 1);
      row.push(least);
    }
    [before, previous] = [previous, row];
  }
  return previous[b.length] ?? 0;
}
