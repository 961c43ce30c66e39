import type { EvidenceOf } from '../../../engine/kinds/index.js';

type Stop = EvidenceOf<'wal-end'>['stop'];

export interface Recovery {
  readonly stop: Stop;
  readonly logLine: string | null;
  readonly replayEndLsn: string | null;
  /** The last transaction that was replayed, commit or abort; UTC. */
  readonly lastTransactionAt: string | null;
}

const lsn = '([0-9A-F]{1,8}/[0-9A-F]{1,8})';
const stops: readonly { readonly pattern: RegExp; readonly stop: (found: RegExpExecArray) => Stop }[] = [
  {
    // "before" names the first transaction left out, "after" the last one kept.
    pattern: /recovery stopping (before|after) (?:commit|abort)(?: prepared)? of transaction (\d+), time (.+?)\s*$/,
    stop: ([, kind, xid = '', time = '']) => ({ kind: kind === 'before' ? 'before' : 'after', xid, ...timed(time) }),
  },
  { pattern: /recovery stopping at restore point "(.*)", time (.+?)\s*$/, stop: ([, name = '', time = '']) => ({ kind: 'restore-point', name, ...timed(time) }) },
  { pattern: new RegExp(`recovery stopping (?:before|after) WAL location \\(LSN\\) "${lsn}"`), stop: ([, at = '']) => ({ kind: 'lsn', lsn: at }) },
  { pattern: /recovery stopping after reaching consistency/, stop: () => ({ kind: 'consistency' }) },
];

const timed = (text: string) => {
  const time = toUtc(text);
  return time === null ? {} : { time };
};

/**
 * What the server's log says about the end of an archive recovery (source: xlogrecovery.c, PostgreSQL 13 to 18, with
 * lc_messages C). null when these lines hold no archive recovery at all, as after a later restart.
 */
export function readRecovery(lines: readonly string[]): Recovery | null {
  const messages = lines.flatMap((line) => {
    const found = /(?:^|\s)LOG: {2}(.*)$/.exec(line);
    return found?.[1] === undefined ? [] : [{ line, text: found[1] }];
  });
  const ready = messages.findIndex(({ text }) => text.startsWith('database system is ready to accept connections'));
  // Whatever is logged later may quote a client.
  const startup = ready < 0 ? messages : messages.slice(0, ready);
  if (!startup.some(({ text }) => /^(starting (point-in-time|archive|backup) recovery|archive recovery complete)/.test(text))) return null;
  const first = (pattern: RegExp) => startup.map(({ text }) => pattern.exec(text)?.[1]).find((found) => found !== undefined);
  const lastTransaction = first(/^last completed transaction was at log time (.+?)\s*$/);
  const common = { replayEndLsn: first(new RegExp(`^redo done at ${lsn}`)) ?? null, lastTransactionAt: lastTransaction === undefined ? null : toUtc(lastTransaction) };
  for (const { line, text } of startup) {
    for (const { pattern, stop } of stops) {
      const found = pattern.exec(text);
      if (found?.index === 0) return { stop: stop(found), logLine: line, ...common };
    }
  }
  const end = startup.find(({ text }) => text.startsWith('redo done at'));
  return { stop: { kind: 'end-of-wal' }, logLine: end?.line ?? null, ...common };
}

/** `2026-11-20 07:30:00.123456+01` as the log has it, to UTC with `Z` and the same fraction. null when it is no time. */
export function toUtc(text: string): string | null {
  const found = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(\.\d+)?([+-])(\d\d)(?::(\d\d))?(?::(\d\d))?$/.exec(text);
  if (found === null) return null;
  const [, day, time, fraction = '', sign, hours, minutes = '0', seconds = '0'] = found;
  const offset = (Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)) * (sign === '-' ? -1 : 1);
  return `${new Date(Date.parse(`${day}T${time}Z`) - offset * 1000).toISOString().slice(0, 19)}${fraction}Z`;
}

const reasons: readonly { readonly pattern: RegExp; readonly stop: (found: RegExpExecArray) => Stop }[] = [
  { pattern: /^(before|after) transaction (\d+)\s*$/, stop: ([, kind, xid = '']) => ({ kind: kind === 'before' ? 'before' : 'after', xid }) },
  { pattern: new RegExp(`^(?:before|after) LSN ${lsn}\\s*$`), stop: ([, at = '']) => ({ kind: 'lsn', lsn: at }) },
  { pattern: /^(before|after) (\d{4}-.+?)\s*$/, stop: ([, kind, time = '']) => ({ kind: kind === 'before' ? 'before' : 'after', ...timed(time) }) },
  { pattern: /^at restore point "(.*)"\s*$/, stop: ([, name = '']) => ({ kind: 'restore-point', name }) },
  { pattern: /^reached consistency\s*$/, stop: () => ({ kind: 'consistency' }) },
  { pattern: /^no recovery target specified\s*$/, stop: () => ({ kind: 'end-of-wal' }) },
];

/**
 * Why a server left its last timeline, from that timeline's history file (getRecoveryStopReason in xlogrecovery.c, PostgreSQL 13 to
 * 18). It outlives restarts and can be read over SQL, but names neither the last record nor the last transaction that was replayed.
 * null where the last line gives no reason that we know.
 */
export function readHistoryReason(content: string): Recovery | null {
  const line = content.split('\n').filter((each) => new RegExp(`^\\s*\\d+\\s+${lsn}`).test(each)).at(-1);
  const reason = new RegExp(`^\\s*\\d+\\s+${lsn}\\s+(.*)$`).exec(line ?? '')?.[2];
  if (line === undefined || reason === undefined) return null;
  for (const { pattern, stop } of reasons) {
    const found = pattern.exec(reason);
    if (found !== null) return { stop: stop(found), logLine: line.trim().replaceAll('\t', ' '), replayEndLsn: null, lastTransactionAt: null };
  }
  return null;
}

/** A timeline history file: which timelines this one came through, oldest first, and where it left each. */
export function readHistory(content: string): EvidenceOf<'wal-end'>['history'] {
  return content.split('\n').flatMap((line) => {
    const found = new RegExp(`^\\s*(\\d+)\\s+${lsn}`).exec(line);
    return found === null ? [] : [{ timeline: Number(found[1]), switchLsn: found[2] ?? '' }];
  });
}
