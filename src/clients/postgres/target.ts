import { StepError } from '../../engine/errors.js';
import type { RestoreRequest } from './port.js';

export type Target = RestoreRequest['target'];

const iso = /^(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?\s*(Z|[+-]\d\d(?::?\d\d)?)?$/i;

/** A moment, in whole microseconds since 1970 (UTC). */
export type Micros = bigint;

/**
 * ISO 8601 with `Z` or an offset. Digits beyond microseconds are dropped. Throws StepError `not-a-time`, also when there is no
 * offset: PostgreSQL would read it in the server's time zone.
 */
export function parseTime(text: string): Micros {
  const match = iso.exec(text.trim());
  const bad = (why: string): StepError => new StepError('not-a-time', `${JSON.stringify(text)} ${why}`, { hint: 'Write it like 2026-03-01T12:00:00.123456Z or 2026-03-01 13:00:00+01.' });
  if (match === null) throw bad('is no time in ISO 8601');
  const [, year, month, day, hour, minute, second = '0', fraction = '', zone] = match;
  if (zone === undefined) throw bad('has no offset from UTC');
  const wall = new Date(Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second)));
  if (wall.getUTCMonth() !== Number(month) - 1 || wall.getUTCDate() !== Number(day) || Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) throw bad('is no time of the calendar');
  return (BigInt(wall.getTime()) - BigInt(offsetMs(zone))) * 1000n + BigInt(fraction.slice(0, 6).padEnd(6, '0'));
}

function offsetMs(zone: string): number {
  if (zone.toUpperCase() === 'Z') return 0;
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(3).replace(':', '') || '0');
  return (zone.startsWith('-') ? -minutes : minutes) * 60_000;
}

/** `YYYY-MM-DD HH:MM:SS.ffffff+00`: what recovery_target_time takes in every version; it refuses `Z`. */
export function postgresTime(at: Micros): string {
  const fraction = ((at % 1_000_000n) + 1_000_000n) % 1_000_000n;
  const seconds = new Date(Number((at - fraction) / 1000n)).toISOString().slice(0, 19).replace('T', ' ');
  return `${seconds}.${String(fraction).padStart(6, '0')}+00`;
}

/** UTC with microseconds and `Z`, from what PostgreSQL prints in a session whose TimeZone is UTC. */
export function isoTime(printed: string): string {
  return postgresTime(parseTime(printed)).replace(' ', 'T').replace('+00', 'Z');
}

/** An LSN as a number; throws StepError `not-an-lsn`. */
export function parseLsn(text: string): bigint {
  const match = /^([0-9A-F]{1,8})\/([0-9A-F]{1,8})$/i.exec(text);
  if (match === null) throw new StepError('not-an-lsn', `${JSON.stringify(text)} is no LSN`, { hint: 'Write it like 0/3000060.' });
  return (BigInt(`0x${match[1] ?? '0'}`) << 32n) | BigInt(`0x${match[2] ?? '0'}`);
}

/** The value of a target in the form that PostgreSQL and pgBackRest take; undefined for `immediate` and `latest`. */
export function targetValue(target: Target): string | undefined {
  const { type, value, inclusive } = target;
  if (type === 'immediate' || type === 'latest') {
    if (value !== undefined) throw new StepError('not-a-target', `a restore to ${type} takes no value, found ${JSON.stringify(value)}`);
    if (inclusive !== undefined) throw new StepError('not-a-target', `inclusive has no meaning for a restore to ${type}`);
    return undefined;
  }
  if (value === undefined || value === '') throw new StepError('not-a-target', `a restore to a ${type} needs its value`);
  switch (type) {
    case 'time':
      return postgresTime(parseTime(value));
    case 'lsn':
      parseLsn(value);
      return value.toUpperCase();
    case 'xid':
      if (!/^\d+$/.test(value)) throw new StepError('not-a-target', `${JSON.stringify(value)} is no transaction id`);
      return value;
    case 'name':
      if (inclusive !== undefined) throw new StepError('not-a-target', 'inclusive has no meaning for a restore to a name');
      if (Buffer.byteLength(value) > 63 || /[\n\r\0]/.test(value)) throw new StepError('not-a-target', 'a restore point has a name of at most 63 bytes on one line');
      return value;
  }
}
