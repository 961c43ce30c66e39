const longestMs = 20;

/**
 * How long to wait, in ms, before looking again for what was waited for so long: a tenth of it. What comes within
 * milliseconds is noticed within one, and waiting for hours costs nothing.
 */
export function nextLookMs(waitedMs: number): number {
  return Math.min(longestMs, Math.max(1, waitedMs / 10));
}
