import type { EventOf } from '../events.js';
import type { PlanProbe } from '../plan-document.js';
import { endpointMoves } from './endpoints.js';
import type { Facts, Line } from './facts.js';
import type { Fault } from './fault.js';
import type { Finding } from './reasons.js';
import { noVerificationEnd, type Recovery } from './rto.js';
import type { StoreResult, StoreRpo } from './store.js';
import { fromMs, later, said, toMs } from './time.js';
import type { Moment } from './timeline.js';

/** Positions on the run's axis. There are many of them: what else is to be known of one stands in its event. */
interface Row {
  readonly n: number;
  readonly sent: bigint;
  readonly acked: bigint | null;
  readonly event: EventOf<'ledger.row'>;
  readonly segment: number;
}

type Acknowledged = Row & { readonly acked: bigint };

type Range = readonly [number, number];

/** Is `n` in closed ranges that rise and do not touch? */
function within(ranges: readonly Range[], n: number): boolean {
  let low = 0;
  let high = ranges.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const [from, to] = ranges[middle] ?? [0, -1];
    if (n < from) high = middle - 1;
    else if (n > to) low = middle + 1;
    else return true;
  }
  return false;
}

function readRows(facts: Facts, probe: string, store: string): Row[] | string {
  const rows: Row[] = [];
  let previous: { n: number; segment: number } = { n: 0, segment: 0 };
  for (const line of facts.samples('ledger.row', probe)) {
    const { event, segment } = line;
    const { data } = event;
    if (data.store !== store) continue;
    if (data.n <= previous.n) return `row ${data.n} of the ledger comes after row ${previous.n}`;
    if (data.n !== previous.n + 1 && segment === previous.segment) return `the ledger's rows between ${previous.n} and ${data.n} are not in the journal`;
    previous = { n: data.n, segment };
    const sent = facts.instant(line, data.sent);
    const acked = data.acked && facts.instant(line, data.acked);
    if (!sent || (data.acked && !acked) || (acked && acked.position < sent.position)) return `the times of the ledger's row ${data.n} contradict each other`;
    rows.push({ n: data.n, sent: sent.position, acked: acked?.position ?? null, event, segment });
  }
  return rows;
}

function recoveredRanges(lines: readonly Line<'ledger.recovered'>[], ended: number): Line<'ledger.recovered'>['event']['data'] | string {
  const [first] = lines;
  if (!first) return 'nobody read back which rows the recovered store holds';
  if (lines.some(({ event }) => JSON.stringify(event.data) !== JSON.stringify(first.event.data))) return 'the recovered rows were read several times with different results';
  if (lines.some(({ index }) => index < ended)) return 'the recovered rows were read before the verification ended';
  let last = 0;
  for (const [from, to] of first.event.data.ranges) {
    if (!(from > last && to >= from && Number.isSafeInteger(to))) return 'the recovered rows are no rising ranges';
    last = to;
  }
  return first.event.data;
}

/** Why what was read back does not show a recovered store; null where it does. */
function unestablished(facts: Facts, probe: PlanProbe, rows: readonly Row[], fault: Fault, recovery: Recovery, data: Line<'ledger.recovered'>['event']['data']): string | null {
  const down = recovery.probes.find((available) => available.down);
  if (down) return 'the service was not restored';
  const endpoint = probe.with['endpoint'];
  const moves = typeof endpoint === 'string' ? endpointMoves(facts, endpoint, fault) : null;
  if (moves?.atEnd != null && moves.atEnd !== moves.atFault) {
    const walEnd = facts.evidence('wal-end').findLast((record) => record.data.connection === moves.atEnd);
    if (walEnd && data.timeline !== null && data.timeline !== walEnd.data.timeline) return `the rows were read on timeline ${data.timeline}, the restored copy writes timeline ${walEnd.data.timeline}`;
    if (walEnd && data.systemId !== null && data.systemId !== walEnd.data.systemId) return 'the rows were read from a server other than the restored copy';
    return null;
  }
  if (facts.plan.binding.fault === 'planned') return null;
  if (facts.plan.binding.fault === 'declared') return 'its endpoint was not switched to the restored copy';
  if (recovery.probes.some((available) => available.restored && available.endpoint === endpoint)) return null;
  const failedAt = rows.findIndex((row) => row.acked === null && row.sent >= fault.moment.position);
  if (failedAt >= 0 && rows.slice(failedAt).some((row) => row.acked !== null)) return null;
  return 'its endpoint was not switched and never failed, so the rows were read from the store that the fault hit';
}

/** Per store of one ledger probe: what was acknowledged before the fault, and which of it was recovered. */
export function ledgerStores(facts: Facts, probe: PlanProbe, fault: Fault | null, ended: Moment | null, recovery: Recovery, noFault: string | null): StoreResult[] {
  const readLines = facts.of('ledger.recovered').filter(({ event }) => event.data.probe === probe.id);
  const named = new Set<string>();
  for (const { event } of facts.samples('ledger.row', probe.id)) named.add(event.data.store);
  for (const { event } of readLines) named.add(event.data.store);
  const stores = [...named];
  if (stores.length === 0) stores.push('');
  return stores.map((store) => {
    const empty: StoreRpo = {
      store, probe: probe.id, basis: 'ledger', valueMs: null, acknowledgedBeforeFault: null, recovered: null, lost: null, firstLost: null,
      lastRecovered: null, lastRecoveredAckAt: null, discarded: null, unacknowledgedPresent: null, whyNotMeasured: null,
    };
    const not = (why: string, known: Partial<StoreRpo> = {}, findings: readonly Finding[] = [], atLeast: bigint | null = null): StoreResult => ({ store: { ...empty, ...known, whyNotMeasured: why }, findings, atLeast });
    if (!fault || !ended) return not(noFault ?? noVerificationEnd(facts));
    const rows = readRows(facts, probe.id, store);
    if (typeof rows === 'string') return not(rows);
    const before = rows.filter((row): row is Acknowledged => row.acked !== null && row.acked <= fault.moment.position);
    const counted = { acknowledgedBeforeFault: before.length };
    const lastAck = before.at(-1);
    if (!lastAck) return not('no row was acknowledged before the fault', counted);
    const fresh = later(5n * fromMs(probe.everyMs), fromMs(2000));
    if (fault.moment.position - lastAck.acked > fresh) return not(`no row was acknowledged in the last ${said(toMs(fresh))} before the fault: an idle store shows no loss`, counted);
    const data = recoveredRanges(readLines.filter(({ event }) => event.data.store === store), facts.of('verification.ended')[0]?.index ?? Infinity);
    if (typeof data === 'string') return not(data, counted);
    const highest = data.ranges.at(-1)?.[1] ?? 0;
    if (highest > (rows.at(-1)?.n ?? 0)) return not('the recovered store holds rows that the ledger never sent', counted);
    const why = unestablished(facts, probe, rows, fault, recovery, data);
    if (why) return not(why, counted);

    const lostRows = before.filter(({ n }) => !within(data.ranges, n));
    const firstLost = lostRows[0]?.n ?? null;
    const kept = before.filter(({ n }) => firstLost === null || n < firstLost);
    const last = kept.at(-1);
    const discarded = rows.filter((row): row is Acknowledged => row.acked !== null && row.acked > fault.moment.position && row.acked <= ended.position && !within(data.ranges, row.n));
    const [firstGone, lastGone] = [discarded[0], discarded.at(-1)];
    const known: Partial<StoreRpo> = {
      ...counted,
      recovered: before.length - lostRows.length,
      lost: lostRows.length,
      firstLost,
      discarded: {
        count: discarded.length,
        spanMs: firstGone && lastGone ? toMs(lastGone.acked - firstGone.acked) : 0,
        description: discarded.length === 0 ? 'no row acknowledged after the fault was discarded' : 'rows acknowledged after the fault that the recovered store does not hold',
      },
      unacknowledgedPresent: rows.filter((row) => row.acked === null && within(data.ranges, row.n)).length,
    };
    const findings = brokenPrefix(facts, probe, rows, before, fault, data.ranges);
    if (!last) {
      const first = before[0];
      return not('no row of the ledger was recovered: the loss reaches back further than the ledger', known, findings, first ? fault.moment.position - first.acked : null);
    }
    const acked = last.event.data.acked && facts.instant(last, last.event.data.acked);
    const measured = acked && facts.timeline.measure(`${probe.id}: last recovered row to fault`, acked, fault.moment);
    if (!measured || measured.value < 0n) return not('no time can be told between the last recovered row and the fault', known, findings);
    return { store: { ...empty, ...known, valueMs: toMs(measured.upper), lastRecovered: last.n, lastRecoveredAckAt: acked.at }, findings, atLeast: null };
  });
}

/**
 * Recovery replays in order, so what one store acknowledged and the copy holds is a prefix. Rows that were
 * acknowledged before a forwarder of ours began to be switched went to the store that was lost; elsewhere only
 * rows acknowledged before the fault surely did.
 */
function brokenPrefix(facts: Facts, probe: PlanProbe, rows: readonly Row[], before: readonly Row[], fault: Fault, ranges: readonly Range[]): Finding[] {
  const endpoint = probe.with['endpoint'];
  const forwarded = typeof endpoint === 'string' && facts.plan.binding.environment.endpoints[endpoint]?.provision === 'forwarder';
  const switched = forwarded ? endpointMoves(facts, endpoint, fault).first : null;
  const old = switched === null ? before : rows.filter((row) => row.acked !== null && row.acked < later(switched, fault.moment.position));
  const hole = old.findIndex(({ n }) => !within(ranges, n));
  const beyond = hole < 0 ? undefined : old.slice(hole + 1).findLast(({ n }) => within(ranges, n));
  const missing = old[hole];
  return beyond && missing ? [{ code: 'wrong-timeline', detail: `${probe.id}: the acknowledged row ${missing.n} is missing though the later row ${beyond.n} was recovered` }] : [];
}
