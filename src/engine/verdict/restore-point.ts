import type { EvidenceOf } from '../kinds/index.js';
import type { Facts, Recorded } from './facts.js';
import type { Fault } from './fault.js';
import { lsnShort, maxLsn, parseLsn } from './lsn.js';
import type { Finding } from './reasons.js';
import { parseUtc } from './time.js';

type Target = EvidenceOf<'restore-target'>;
type WalEnd = EvidenceOf<'wal-end'>;
type Backup = EvidenceOf<'backup'>;

/**
 * A record that begins in the last archived segment and continues in one that never was archived cannot be
 * replayed. So much of the last segment's end may be missing; a lost segment is far larger.
 */
const openRecord = 65_536n;

/** How far a copy replayed: the larger of the last record's start and the point where it left its last timeline. */
export function replayedTo(walEnd: WalEnd): bigint | null {
  return maxLsn([parseLsn(walEnd.replayEndLsn), parseLsn(walEnd.history.at(-1)?.switchLsn)]);
}

function timeTarget(target: Target, walEnd: WalEnd, backup: Backup): string[] {
  const wanted = parseUtc(target.sent ?? '');
  if (wanted === null) return ['the time target that PostgreSQL got has no offset or is no time'];
  const wrong: string[] = [];
  const inclusive = target.inclusive ?? true;
  const asked = parseUtc(target.requested ?? '');
  // PostgreSQL knows microseconds.
  if (asked !== null && asked / 1000n !== wanted / 1000n) wrong.push('PostgreSQL got another time than the runbook gave');
  const finished = parseUtc(backup.finishedAt);
  if (finished === null || wanted < finished) wrong.push(`the target lies before the end of the backup (${backup.finishedAt}), where recovery cannot stop`);
  const { kind, time } = walEnd.stop;
  const stopped = parseUtc(time ?? '');
  if (kind !== 'before') wrong.push(`recovery ended by ${kind}, not at the time target`);
  else if (stopped === null) wrong.push('nothing shows at which commit recovery stopped');
  else if (inclusive ? stopped <= wanted : stopped < wanted) wrong.push(`recovery stopped before a commit of ${time}, which belongs before the target`);
  const last = walEnd.lastCommitAt === null ? null : parseUtc(walEnd.lastCommitAt);
  if (last !== null && (inclusive ? last > wanted : last >= wanted)) wrong.push(`the last commit replayed (${walEnd.lastCommitAt}) belongs after the target`);
  return wrong;
}

function lsnTarget(target: Target, walEnd: WalEnd, backup: Backup): string[] {
  const wanted = parseLsn(target.sent);
  if (wanted === null) return ['the LSN target that PostgreSQL got is no LSN'];
  const wrong: string[] = [];
  const asked = parseLsn(target.requested);
  if (asked !== null && asked !== wanted) wrong.push('PostgreSQL got another LSN than the runbook gave');
  const end = parseLsn(backup.stopLsn);
  if (end === null || wanted < end) wrong.push(`the target lies before the end of the backup (${backup.stopLsn}), where recovery cannot stop`);
  const { kind, lsn } = walEnd.stop;
  const stopped = parseLsn(lsn);
  if (kind !== 'lsn') wrong.push(`recovery ended by ${kind}, not at the LSN target`);
  else if (stopped === null || stopped < wanted) wrong.push('nothing shows that recovery stopped at the LSN target');
  const replayed = parseLsn(walEnd.replayEndLsn);
  if (replayed !== null && ((target.inclusive ?? true) ? replayed < wanted : replayed >= wanted)) wrong.push(`replay ended at ${walEnd.replayEndLsn}, on the wrong side of the target`);
  return wrong;
}

function nameTarget(target: Target, walEnd: WalEnd): string[] {
  const wrong: string[] = [];
  if (target.requested !== null && target.requested !== target.sent) wrong.push('PostgreSQL got another restore point than the runbook gave');
  if (walEnd.stop.kind !== 'restore-point') wrong.push(`recovery ended by ${walEnd.stop.kind}, not at the restore point`);
  else if (target.sent === null || walEnd.stop.name !== target.sent) wrong.push(`recovery stopped at the restore point ${JSON.stringify(walEnd.stop.name ?? null)}`);
  return wrong;
}

/** PostgreSQL compares the low 32 bits. */
const xid = (text: string | null | undefined): bigint | null => (/^\d{1,20}$/.test(text ?? '') ? BigInt.asUintN(32, BigInt(text ?? '0')) : null);

function xidTarget(target: Target, walEnd: WalEnd): string[] {
  const wanted = xid(target.sent);
  const wrong: string[] = [];
  if (wanted === null) return ['the transaction that PostgreSQL got as its target is no transaction id'];
  if (target.requested !== null && xid(target.requested) !== wanted) wrong.push('PostgreSQL got another transaction than the runbook gave');
  const side = (target.inclusive ?? true) ? 'after' : 'before';
  if (walEnd.stop.kind !== side) wrong.push(`recovery ended by ${walEnd.stop.kind}, not ${side} the transaction`);
  else if (xid(walEnd.stop.xid) !== wanted) wrong.push(`recovery stopped at transaction ${JSON.stringify(walEnd.stop.xid ?? null)}`);
  return wrong;
}

/** The end of the WAL that the source says it had archived before the fault. */
export function archivedBefore(facts: Facts, fault: Fault): bigint | null {
  return maxLsn(
    facts.of('archive.sample').map((line) => {
      const moment = facts.instant(line, line.event.data.instant);
      return moment && moment.position <= fault.moment.position ? parseLsn(line.event.data.endLsn) : null;
    }),
  );
}

function latestTarget(facts: Facts, walEnd: WalEnd, fault: Fault | null): string[] {
  const wrong: string[] = [];
  if (walEnd.stop.kind !== 'end-of-wal') wrong.push(`recovery ended by ${walEnd.stop.kind}, not at the end of the WAL`);
  const reached = replayedTo(walEnd);
  const archived = fault ? archivedBefore(facts, fault) : null;
  if (archived === null) wrong.push('nothing says what had been archived before the fault, so nobody can tell that it was all replayed');
  else if (reached === null) wrong.push('nothing says how far the copy replayed');
  else if (reached < archived - openRecord) wrong.push(`replay ended at ${lsnShort(reached)}, the source had archived up to ${lsnShort(archived)} before the fault`);
  return wrong;
}

function judgePoint(facts: Facts, target: Target, walEnd: WalEnd, backup: Backup, fault: Fault | null): string[] {
  switch (target.type) {
    case 'time':
      return timeTarget(target, walEnd, backup);
    case 'lsn':
      return lsnTarget(target, walEnd, backup);
    case 'name':
      return nameTarget(target, walEnd);
    case 'xid':
      return xidTarget(target, walEnd);
    case 'immediate':
      return walEnd.stop.kind === 'consistency' ? [] : [`recovery ended by ${walEnd.stop.kind}, not when it was consistent`];
    case 'latest':
      return latestTarget(facts, walEnd, fault);
  }
}

/** The timeline that the source was on: the last that was seen of it before the copy was read. */
function sourceTimeline(facts: Facts, before: number, backup: Backup): number {
  const { connections } = facts.plan.binding.environment;
  const seen = [
    ...facts.evidence('archive').filter(({ data }) => data.when === 'before').map(({ data, index }) => ({ timeline: data.sourceTimeline, index })),
    ...facts.evidence('reference').filter(({ data }) => connections[data.connection]?.role !== 'target').map(({ data, index }) => ({ timeline: data.timeline as number | null, index })),
  ].filter(({ timeline, index }) => timeline !== null && index < before);
  return seen.sort((a, b) => a.index - b.index).at(-1)?.timeline ?? backup.timeline;
}

function judgeTimeline(facts: Facts, walEnd: Recorded<'wal-end'>, backup: Backup): Omit<Finding, 'step'>[] {
  const { data, index } = walEnd;
  const left = data.history.at(-1)?.timeline;
  if (data.inRecovery) return [];
  if (left === undefined) return [{ code: 'evidence-missing', detail: `${data.connection}: nothing shows which timeline the copy came through` }];
  const source = sourceTimeline(facts, index, backup);
  const rising = data.history.every(({ timeline }, at) => timeline > (data.history[at - 1]?.timeline ?? 0)) && left < data.timeline;
  if (!rising) return [{ code: 'wrong-timeline', detail: `${data.connection}: its timeline history contradicts itself` }];
  if (left !== source) return [{ code: 'wrong-timeline', detail: `${data.connection}: the copy came through timeline ${left}, the source was on timeline ${source}` }];
  return [];
}

/**
 * null: nowhere. Where an operator keeps archive_mode on (CloudNativePG cannot be told otherwise) and puts the WAL nowhere, its own
 * object must have said so since the restore began, each time that it was asked.
 */
function archivesTo(facts: Facts, walEnd: WalEnd, since: number): string | null {
  const said = facts.evidence('archiving').filter(({ data, index }) => data.connection === walEnd.connection && index > since);
  const somewhere = said.find(({ data }) => data.to !== null);
  if (somewhere) return `to ${somewhere.data.to}, as ${somewhere.data.by} says`;
  return walEnd.archiveMode === 'off' || said.length > 0 ? null : `archive_mode is ${walEnd.archiveMode}`;
}

/** wrong-restore-point, wrong-timeline and archive-contaminated of every restored copy, or evidence-missing. */
export function restorePointFindings(facts: Facts, fault: Fault | null): Finding[] {
  const targets = facts.evidence('restore-target');
  const ends = facts.evidence('wal-end');
  const found: Finding[] = [];
  const judged = new Set<Recorded<'wal-end'>>();
  for (const target of targets) {
    const { connection } = target.data;
    const next = targets.find((other) => other.index > target.index && other.data.connection === connection)?.index ?? Infinity;
    const own = ends.filter(({ data, index }) => data.connection === connection && index > target.index && index < next);
    // A restore that was tried again is judged by its last try.
    if (own.length === 0 && next !== Infinity) continue;
    const place = target.step === undefined ? {} : { step: target.step };
    if (own.length === 0) found.push({ code: 'evidence-missing', ...place, detail: `nothing shows the restore point that ${connection} really reached (wal-end)` });
    const backups = facts.evidence('backup').filter(({ data }) => data.name === target.data.backup);
    const backup = backups.at(-1)?.data;
    if (!backup) {
      found.push({ code: 'evidence-missing', ...place, detail: `nothing describes the backup ${target.data.backup} that ${connection} was restored from` });
      for (const walEnd of own) judged.add(walEnd);
      continue;
    }
    for (const walEnd of own) {
      judged.add(walEnd);
      const at = walEnd.step === undefined ? {} : { step: walEnd.step };
      const wrong = walEnd.data.inRecovery ? ['the copy is still in recovery'] : [];
      wrong.push(...judgePoint(facts, target.data, walEnd.data, backup, fault));
      if (backups.some(({ data }) => data.systemId !== walEnd.data.systemId)) wrong.push(`its system identifier ${walEnd.data.systemId} is not the backup's`);
      found.push(...wrong.map((detail): Finding => ({ code: 'wrong-restore-point', ...at, detail: `${connection}: ${detail}` })));
      found.push(...judgeTimeline(facts, walEnd, backup).map((finding) => ({ ...finding, ...at })));
      const archives = archivesTo(facts, walEnd.data, target.index);
      if (archives !== null) found.push({ code: 'archive-contaminated', ...at, detail: `${connection}: the restored copy archives (${archives})` });
    }
  }
  for (const walEnd of ends) {
    if (!judged.has(walEnd)) found.push({ code: 'evidence-missing', ...(walEnd.step === undefined ? {} : { step: walEnd.step }), detail: `nothing says to which point ${walEnd.data.connection} was to be restored (restore-target)` });
  }
  for (const { data, step } of facts.evidence('reconciliation')) {
    for (const row of data.boundary) {
      if (row.expected !== row.found) found.push({ code: 'wrong-restore-point', ...(step === undefined ? {} : { step }), detail: `${data.connection}: ${row.name} should be ${row.expected} and is ${row.found}` });
    }
  }
  return found;
}
