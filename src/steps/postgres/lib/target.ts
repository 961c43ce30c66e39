import type { RestoreTarget } from '../../../clients/postgres/port.js';
import { StepError } from '../../../engine/errors.js';

export interface Target {
  readonly type: RestoreTarget;
  readonly value?: string;
  readonly inclusive?: boolean;
}

const stamp = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?)\s*(Z|[+-]\d\d(?::?\d\d)?)?$/i;

/**
 * The target as PostgreSQL takes it. recovery_target_time refuses `Z` and reads a time without an offset in the server's
 * own TimeZone, so the one is rewritten and the other refused. Throws StepError `bad-target`.
 */
export function normalizeTarget(target: Target): Target {
  const { type, value, inclusive } = target;
  const bad = (message: string, hint?: string) => new StepError('bad-target', message, hint === undefined ? {} : { hint });
  if (type === 'immediate' || type === 'latest') {
    if (value !== undefined) throw bad(`a target of type ${type} takes no value`);
    if (inclusive !== undefined) throw bad(`\`inclusive\` has no meaning for a target of type ${type}`);
    return target;
  }
  if (value === undefined || value === '') throw bad(`a target of type ${type} needs a value`);
  if (type === 'name') {
    if (inclusive !== undefined) throw bad('`inclusive` has no meaning for a named restore point: PostgreSQL always stops right after it');
    if (Buffer.byteLength(value) > 63) throw bad('a restore point has a name of at most 63 bytes');
    return target;
  }
  if (type === 'lsn') {
    if (!/^[0-9A-F]{1,8}\/[0-9A-F]{1,8}$/i.test(value)) throw bad(`not an LSN: ${value}`, 'like 16/B374D848');
    return { ...target, value: value.toUpperCase() };
  }
  if (type === 'xid') {
    if (!/^\d+$/.test(value)) throw bad(`not a transaction id: ${value}`);
    return target;
  }
  return { ...target, value: normalizeTime(value, bad) };
}

function normalizeTime(value: string, bad: (message: string, hint?: string) => StepError): string {
  const found = stamp.exec(value);
  if (found === null) throw bad(`not a time: ${value}`, 'like 2026-11-20T07:30:00.123456Z or 2026-11-20 07:30:00+01');
  const [, day = '', time = '', zone] = found;
  if (zone === undefined) throw bad(`${value} does not say its offset from UTC`, 'add Z for UTC, or an offset such as +01: without one PostgreSQL takes its own TimeZone');
  if (Number.isNaN(Date.parse(`${day}T${time}Z`))) throw bad(`not a time: ${value}`);
  return `${day} ${time}${zone.toUpperCase() === 'Z' ? '+00' : zone}`;
}
