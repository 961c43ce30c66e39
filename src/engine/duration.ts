const units = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** `0`, or whole numbers with units in falling order: `200ms`, `30s`, `1h30m`, `2d`. */
export const durationPattern = '^(0|(?=\\d)(\\d+d)?(\\d+h)?(\\d+m)?(\\d+s)?(\\d+ms)?)$';

const whole = new RegExp(durationPattern);

/** Milliseconds; throws RangeError when `text` is no duration. */
export function parseDuration(text: string): number {
  if (!whole.test(text)) throw new RangeError(`expected a duration such as 200ms, 30s, 15m, 1h30m or 2d, found ${JSON.stringify(text)}`);
  if (text === '0') return 0;
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+)(ms|[smhd])/g)) total += Number(amount) * units[unit as keyof typeof units];
  return total;
}

/** Short and exact enough to read: `0.42 s`, `12.3 s`, `3m 05s`, `1h 02m`. */
export function formatDuration(ms: number): string {
  if (ms < 10_000) return `${(ms / 1000).toFixed(2)} s`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m ${String(seconds % 60).padStart(2, '0')}s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 1440) return `${Math.floor(minutes / 60)}h ${String(minutes % 60).padStart(2, '0')}m`;
  return `${Math.floor(minutes / 1440)}d ${String(Math.floor((minutes % 1440) / 60)).padStart(2, '0')}h`;
}
