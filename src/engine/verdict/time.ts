import type { Instant } from '../define-step.js';
import { PackedInstant } from '../journal/packed.js';

/**
 * Time in the verdict: integers of nanoseconds, so that no figure depends on floating point.
 */
export const MS = 1_000_000n;

const utcForm = /^(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?: ?(Z|UTC|[+-]\d\d(?::?\d\d)?))?$/;

/** Nanoseconds since the epoch, or null where `text` is no real date and time with an offset. */
export function parseUtc(text: string): bigint | null {
  const match = utcForm.exec(text);
  const offset = match?.[8];
  if (!match || offset === undefined) return null;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [number, number, number, number, number, number];
  const ms = Date.UTC(year, month - 1, day, hour, minute, second);
  const date = new Date(ms);
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day || hour > 23 || minute > 59 || second > 59) return null;
  const fraction = BigInt((match[7] ?? '').padEnd(9, '0'));
  const shift = /^[+-]/.test(offset) ? (offset.startsWith('-') ? -1 : 1) * (Number(offset.slice(1, 3)) * 60 + Number(offset.slice(3).replace(':', '') || '0')) : 0;
  return BigInt(ms - shift * 60_000) * MS + fraction;
}

/** process.hrtime as it stands in the journal; null for what no clock of 64 bits can say. */
export function parseMono(text: string): bigint | null {
  return /^\d{1,20}$/.test(text) ? BigInt(text) : null;
}

export const monoOf = (instant: Instant): bigint | null => (instant instanceof PackedInstant ? instant.monoNs : parseMono(instant.mono));
export const utcOf = (instant: Instant): bigint | null => (instant instanceof PackedInstant ? BigInt(instant.utcMs) * MS : parseUtc(instant.at));

/** Milliseconds, rounded UP to 0.001: a figure held against an objective is never flattered. */
export function toMs(ns: bigint): number {
  const micros = ns >= 0n ? (ns + 999n) / 1000n : -(-ns / 1000n);
  return Number(micros) / 1000;
}

/** As reasons say it, of rules 1 and therefore never changed: `4.97 s`, `15 min`, `2 h 5 min 0.4 s`. Rounded up to 1 ms. */
export function said(ms: number): string {
  const whole = Math.max(0, Math.ceil(ms));
  const parts = [[Math.floor(whole / 3_600_000), 'h'], [Math.floor(whole / 60_000) % 60, 'min'], [(whole % 60_000) / 1000, 's']] as const;
  const named = parts.filter(([count]) => count > 0).map(([count, unit]) => `${count} ${unit}`);
  return named.length === 0 ? '0 s' : named.join(' ');
}

export const fromMs = (ms: number): bigint => (Number.isFinite(ms) && ms > 0 ? BigInt(Math.ceil(Math.min(ms, 1e15) * 1000)) * 1000n : 0n);

export const later = (a: bigint, b: bigint): bigint => (a > b ? a : b);
export const earlier = (a: bigint, b: bigint): bigint => (a < b ? a : b);

export interface Span {
  readonly start: bigint;
  readonly end: bigint;
}

/** The time that any of the spans covers within [from, to]. */
export function covered(spans: readonly Span[], from: bigint, to: bigint): bigint {
  let total = 0n;
  let until = from;
  for (const span of [...spans].sort((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : 0))) {
    const start = later(span.start, until);
    const end = earlier(span.end, to);
    if (end > start) total += end - start;
    until = later(until, end);
  }
  return total;
}
