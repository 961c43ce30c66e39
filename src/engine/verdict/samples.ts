import type { PlanProbe } from '../plan-document.js';
import type { Facts } from './facts.js';
import type { Fault } from './fault.js';
import type { StoreResult, StoreRpo } from './store.js';
import { parseLsn } from './lsn.js';
import { replayedTo } from './restore-point.js';
import type { Recovery } from './rto.js';
import { fromMs, later, parseUtc, said, toMs } from './time.js';

const uncounted = { acknowledgedBeforeFault: null, recovered: null, lost: null, firstLost: null, lastRecovered: null, discarded: null, unacknowledgedPresent: null };

/** Promoted copies of this run, with how far they replayed. */
function copies(facts: Facts) {
  return facts.evidence('wal-end').filter(({ data }) => !data.inRecovery);
}

/** A source that we may not write: the last time at which its flushed LSN was within what the copy replayed. */
export function sampledStores(facts: Facts, probe: PlanProbe, fault: Fault | null, noFault: string | null): StoreResult[] {
  const lines = facts.of('lsn.sample').filter(({ event }) => event.data.probe === probe.id);
  const stores = [...new Set(lines.map(({ event }) => event.data.store))];
  if (stores.length === 0) stores.push('');
  const reached = copies(facts).map(({ data }) => replayedTo(data));
  return stores.map((store) => {
    const empty: StoreRpo = { store, probe: probe.id, basis: 'samples', valueMs: null, lastRecoveredAckAt: null, whyNotMeasured: null, ...uncounted };
    const not = (why: string): StoreResult => ({ store: { ...empty, whyNotMeasured: why }, findings: [], atLeast: null });
    if (!fault) return not(noFault ?? 'no fault was sent');
    const samples = lines
      .filter(({ event }) => event.data.store === store)
      .flatMap((line) => {
        const moment = facts.instant(line, line.event.data.instant);
        const lsn = parseLsn(line.event.data.lsn);
        return moment && lsn !== null ? [{ moment, lsn }] : [];
      })
      .sort((a, b) => (a.moment.position < b.moment.position ? -1 : a.moment.position > b.moment.position ? 1 : 0));
    if (samples.some(({ lsn }, index) => lsn < (samples[index - 1]?.lsn ?? 0n))) return not('its flushed LSN went backwards');
    const before = samples.filter(({ moment }) => moment.position <= fault.moment.position);
    const fresh = later(5n * fromMs(probe.everyMs), fromMs(2000));
    const advanced = before.findLast(({ lsn }, index) => lsn > (before[index - 1]?.lsn ?? lsn));
    if (!advanced || fault.moment.position - advanced.moment.position > fresh) return not(`its flushed LSN did not move in the last ${said(toMs(fresh))} before the fault: an idle store shows no loss`);
    if (reached.length === 0) return not('no evidence says how far a promoted copy replayed');
    const least = reached.reduce((min, lsn) => (lsn === null || min === null ? null : lsn < min ? lsn : min));
    if (least === null) return not('no evidence says how far the copy replayed');
    const after = samples.find(({ moment }) => moment.position >= fault.moment.position);
    if (after && after.lsn <= least) return { store: { ...empty, valueMs: 0, lastRecoveredAckAt: fault.moment.at }, findings: [], atLeast: null };
    const last = before.findLast(({ lsn }) => lsn <= least);
    if (!last) return not('the copy stopped before the first sample');
    const measured = facts.timeline.measure(`${probe.id}: last recovered sample to fault`, last.moment, fault.moment);
    if (!measured || measured.value < 0n) return not('no time can be told between the last recovered sample and the fault');
    return { store: { ...empty, valueMs: toMs(measured.upper), lastRecoveredAckAt: last.moment.at }, findings: [], atLeast: null };
  });
}

/** Without a ledger or samples: the data time of what was restored, by the servers' own clocks. */
export function derivedStores(facts: Facts, fault: Fault | null, noFault: string | null, recovery: Recovery): StoreResult[] {
  const empty: StoreRpo = { store: '', probe: '', basis: 'derived', valueMs: null, lastRecoveredAckAt: null, whyNotMeasured: null, ...uncounted };
  const not = (why: string): StoreResult[] => [{ store: { ...empty, whyNotMeasured: why }, findings: [], atLeast: null }];
  if (!fault) return not(noFault ?? 'no fault was sent');
  const promoted = copies(facts);
  const stores = promoted.map(({ data }) => ({ store: data.connection, at: data.lastCommitAt }));
  if (stores.length === 0 && recovery.rto.valueMs !== null) stores.push(...restoredBackups(facts).map((backup) => ({ store: backup.repository, at: backup.startedAt })));
  if (stores.length === 0 && recovery.rto.valueMs !== null) stores.push(...restoredVolumes(facts));
  if (stores.length === 0) return not('the plan has no ledger, and no evidence says which data a recovered store holds');
  return stores.map(({ store, at }) => {
    const utc = at === null ? null : parseUtc(at);
    if (at === null || utc === null) return { store: { ...empty, store, whyNotMeasured: 'no evidence tells the time of the last recovered data' }, findings: [], atLeast: null };
    const lost = fault.moment.utc - utc;
    return { store: { ...empty, store, valueMs: toMs(lost > 0n ? lost : 0n), lastRecoveredAckAt: at }, findings: [], atLeast: null };
  });
}

function restoredBackups(facts: Facts) {
  const wanted = new Set(facts.evidence('restore-target').map(({ data }) => data.backup));
  return facts.evidence('backup').filter(({ data }) => wanted.has(data.name)).map(({ data }) => data);
}

/** Volumes that were swapped in, else those that were made: with the time of the snapshot that EC2 says they came from. */
function restoredVolumes(facts: Facts): { store: string; at: string | null }[] {
  const snapshots = new Map(facts.evidence('volume-snapshot').map(({ data }) => [data.snapshot, data.startedAt]));
  const at = (snapshot: string | null) => (snapshot === null ? null : (snapshots.get(snapshot) ?? null));
  // A swap that was done again is judged by the last.
  const swapped = new Map(facts.evidence('volume-swap').map(({ data }) => [data.claim, data]));
  if (swapped.size > 0) return [...swapped.values()].map(({ claim, snapshot }) => ({ store: claim, at: at(snapshot) }));
  return facts.evidence('volume').map(({ data }) => ({ store: data.volume, at: at(data.snapshot) }));
}
