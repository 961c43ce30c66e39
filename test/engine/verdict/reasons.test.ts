import { describe, expect, it } from 'vitest';
import type { ReasonCode, Verdict } from '../../../src/engine/drill.js';
import { reasonCodes } from '../../../src/engine/drill.js';
import { at, codes, data, drop, dropType, endAt, entry, evidence, faultAt, objectives, passing, record, restoredAt, utc, verdictOf, type Story } from './drill-builder.js';

/** Each changes a passing drill in one way and names the reasons that must come of it: these and no others. */
interface Mutation {
  readonly name: string;
  readonly gives: readonly ReasonCode[];
  readonly verdict?: Verdict;
  readonly mutate: (story: Story) => void;
}

const finish = (story: Story, id: string) => story.entries.find((one) => one.type === 'step.finished' && one.step === id);
const fail = (story: Story, id: string, status: 'failed' | 'timed-out' | 'cancelled', code = 'boom') => {
  const found = finish(story, id);
  if (found) found.data = { status, error: { code, message: 'no' } };
};
const target = (story: Story, change: Partial<ReturnType<typeof record<'restore-target'>>>) => Object.assign(record(story, 'restore-target'), change);
const walEnd = (story: Story, change: Partial<ReturnType<typeof record<'wal-end'>>>) => Object.assign(record(story, 'wal-end'), change);
const observed = (change: Partial<Parameters<typeof entry<'watch.observed'>>[2]> = {}) =>
  entry(7000, 'watch.observed', { watcher: 'postgres', object: 'setting x', actor: 'bob', change: 'ALTER SYSTEM', ours: false, allowedBy: null, scope: 'recovery-path', ...change });

const restorePoint: Mutation[] = (
  [
    ['a time target one millisecond inside the backup', (s) => { record(s, 'backup').finishedAt = utc(4701); }],
    ['a time target that the end of WAL ended', (s) => walEnd(s, { stop: { kind: 'end-of-wal' } })],
    ['a time target that consistency ended', (s) => walEnd(s, { stop: { kind: 'consistency' } })],
    ['a stop whose time is unknown', (s) => walEnd(s, { stop: { kind: 'before' } })],
    ['a stop before a commit that belongs before the target', (s) => walEnd(s, { stop: { kind: 'before', time: utc(4700) } })],
    ['a commit after an inclusive time target', (s) => walEnd(s, { lastCommitAt: utc(4701) })],
    ['a commit at an exclusive time target', (s) => { target(s, { inclusive: false }); walEnd(s, { lastCommitAt: utc(4700) }); }],
    ['another time sent than asked for', (s) => target(s, { requested: utc(4699) })],
    ['a time without offset', (s) => target(s, { sent: '2026-03-01 12:00:04.7' })],
    ['a copy still in recovery', (s) => walEnd(s, { inRecovery: true })],
    ['another system', (s) => { record(s, 'backup').systemId = '78'; }],
    ['a row that should not be there', (s) => { const row = record(s, 'reconciliation').boundary[1]; if (row) row.found = 'present'; }],
    ['another restore point', (s) => { target(s, { type: 'name', requested: 'p1', sent: 'p1' }); walEnd(s, { stop: { kind: 'restore-point', name: 'p2' } }); }],
    ['another transaction', (s) => { target(s, { type: 'xid', requested: '900', sent: '900' }); walEnd(s, { stop: { kind: 'after', xid: '901' } }); }],
    ['the wrong side of a transaction', (s) => { target(s, { type: 'xid', requested: '900', sent: '900' }); walEnd(s, { stop: { kind: 'before', xid: '900' } }); }],
    ['an LSN inside the backup', (s) => { target(s, { type: 'lsn', requested: '0/2000050', sent: '0/2000050' }); walEnd(s, { stop: { kind: 'lsn', lsn: '0/3000100' } }); }],
    ['an LSN that replay did not reach', (s) => { target(s, { type: 'lsn', requested: '0/3000200', sent: '0/3000200' }); walEnd(s, { stop: { kind: 'lsn', lsn: '0/3000100' } }); }],
    ['immediate that ran to the end of WAL', (s) => { target(s, { type: 'immediate', requested: null, sent: null }); walEnd(s, { stop: { kind: 'end-of-wal' } }); }],
    ['latest below the last archived segment', (s) => { target(s, { type: 'latest', requested: null, sent: null }); walEnd(s, { stop: { kind: 'end-of-wal' }, replayEndLsn: '0/2000200', history: [{ timeline: 1, switchLsn: '0/2000300' }] }); }],
    ['latest just more than an open record below it', (s) => { target(s, { type: 'latest', requested: null, sent: null }); walEnd(s, { stop: { kind: 'end-of-wal' }, replayEndLsn: '0/2FEFFFF', history: [{ timeline: 1, switchLsn: '0/2FEFFFF' }] }); }],
    ['latest with nothing to hold it against', (s) => { target(s, { type: 'latest', requested: null, sent: null }); walEnd(s, { stop: { kind: 'end-of-wal' } }); dropType(s, 'archive.sample'); }],
    ['latest with samples from after the fault only', (s) => { target(s, { type: 'latest', requested: null, sent: null }); walEnd(s, { stop: { kind: 'end-of-wal' } }); for (const one of data(s, 'archive.sample')) one.instant = at(5001); }],
  ] satisfies [string, (story: Story) => unknown][]
).map(([name, mutate]): Mutation => ({ name, gives: ['wrong-restore-point'], mutate: (story) => { mutate(story); } }));

const mutations: Mutation[] = [
  ...restorePoint,
  { name: 'an RTO one microsecond too long', gives: ['rto-missed'], mutate: (s) => { objectives(s, 4499, 5000); } },
  { name: 'an RPO one millisecond too long', gives: ['rpo-missed'], mutate: (s) => { objectives(s, 60_000, 344); } },
  { name: 'rows lost where none may be', gives: ['rpo-missed'], mutate: (s) => { objectives(s, 60_000, 0); } },
  { name: 'a service still down when the objective has passed', gives: ['rto-missed', 'rpo-not-measured'], mutate: (s) => { objectives(s, 1000, 5000); for (const one of data(s, 'probe.sample')) if (one.sent.at >= utc(faultAt)) one.write = false; } },
  { name: 'a step that failed', gives: ['step-failed'], mutate: (s) => { fail(s, 'content', 'failed'); } },
  { name: 'a step that timed out', gives: ['step-timed-out'], mutate: (s) => { fail(s, 'content', 'timed-out'); } },
  { name: 'a failed health check', gives: ['step-failed'], mutate: (s) => { Object.assign(record(s, 'health-checks').checks[0] ?? {}, { ok: false }); } },
  { name: 'a row fewer', gives: ['content-differs'], mutate: (s) => { Object.assign(record(s, 'reconciliation').tables[0]?.actual ?? {}, { rows: 99 }); } },
  { name: 'other content', gives: ['content-differs'], mutate: (s) => { record(s, 'reconciliation').tables[0] = { table: 'orders', expected: { rows: 1, checksum: 'a' }, actual: { rows: 1, checksum: 'b' } }; } },
  { name: 'a table that cannot be read', gives: ['content-differs'], mutate: (s) => { Object.assign(record(s, 'reconciliation').tables[0] ?? {}, { actual: null }); } },
  { name: 'a failed amcheck', gives: ['content-differs'], mutate: (s) => { Object.assign(record(s, 'reconciliation').consistency[0] ?? {}, { ok: false }); } },
  { name: 'an invariant that does not hold', gives: ['content-differs'], mutate: (s) => { Object.assign(record(s, 'reconciliation').invariants[0] ?? {}, { holds: false }); } },
  { name: 'recovery along another timeline', gives: ['wrong-timeline'], mutate: (s) => { walEnd(s, { timeline: 3, history: [{ timeline: 1, switchLsn: '0/2000100' }, { timeline: 2, switchLsn: '0/3000140' }] }); for (const one of data(s, 'ledger.recovered')) one.timeline = 3; } },
  { name: 'a hole in the recovered rows', gives: ['wrong-timeline'], mutate: (s) => { for (const one of data(s, 'ledger.recovered')) one.ranges = [[1, 10], [12, 27], [73, 100]]; } },
  { name: 'a discarded row below a recovered one of the lost store', gives: ['wrong-timeline'], mutate: (s) => { for (const one of data(s, 'ledger.recovered')) one.ranges = [[1, 27], [33, 34], [73, 100]]; } },
  { name: 'a copy that archives', gives: ['archive-contaminated'], mutate: (s) => { walEnd(s, { archiveMode: 'on' }); } },
  { name: 'a new timeline in the archive', gives: ['archive-contaminated'], mutate: (s) => { record(s, 'archive', 1).added?.push({ name: '00000002.history', timeline: 2 }); } },
  { name: 'a file gone from the archive', gives: ['archive-contaminated'], mutate: (s) => { record(s, 'archive', 1).removed = ['000000010000000000000001']; } },
  { name: 'a file changed in the archive', gives: ['archive-contaminated'], mutate: (s) => { record(s, 'archive', 1).changed = ['000000010000000000000001']; } },
  { name: 'a manual change that somebody noted', gives: ['undocumented-change'], mutate: (s) => { s.entries.push(entry(7000, 'note.manual', { text: 'fixed a path', who: 'ann', source: 'note' })); } },
  { name: 'a change that a watcher saw', gives: ['undocumented-change'], mutate: (s) => { s.entries.push(observed()); } },
  { name: 'a runbook in no repository', gives: ['unversioned-runbook'], mutate: (s) => { s.plan.binding.runbook.git = null; } },
  { name: 'a runbook that is not what git has', gives: ['unversioned-runbook'], mutate: (s) => { s.plan.binding.runbook.git = { commit: 'c', path: 'p', tracked: true, clean: false }; } },
  { name: 'an untracked environment', gives: ['unversioned-runbook'], mutate: (s) => { s.plan.binding.environment.git = { commit: 'c', path: 'p', tracked: false, clean: true }; } },
  { name: 'a forbidden address that was reached', gives: ['isolation-violated'], mutate: (s) => { Object.assign(record(s, 'isolation', 1).checks[0] ?? {}, { found: 'reachable' }); } },
  { name: 'production with another system identifier', gives: ['isolation-violated'], mutate: (s) => { record(s, 'production-fingerprint', 2).systemId = '56'; } },
  { name: 'production on another timeline', gives: ['isolation-violated'], mutate: (s) => { record(s, 'production-fingerprint', 2).timeline = 5; } },
  { name: 'a file gone from production’s archive', gives: ['isolation-violated'], mutate: (s) => { record(s, 'production-fingerprint', 3).archive?.removed?.push('000000040000000000000001'); } },
  { name: 'a file changed in production’s archive', gives: ['isolation-violated'], mutate: (s) => { record(s, 'production-fingerprint', 3).archive?.changed?.push('000000040000000000000001'); } },
  { name: 'a step that the operator had tried again', gives: ['operator-retry'], mutate: (s) => { s.entries.push(entry(9600, 'step.finished', { status: 'failed', error: { code: 'x', message: 'y' } }, 'content'), entry(9610, 'operator.chose', { choice: 'retry' }, 'content'), entry(9620, 'step.started', { uses: 'wait', with: {} }, 'content')); } },
  { name: 'evidence that could not be written', gives: ['evidence-write-failed'], mutate: (s) => { s.entries.push(entry(12_600, 'evidence.write-failed', { file: 'a.json', message: 'ENOSPC' })); } },
  { name: 'something left behind', gives: ['residue'], mutate: (s) => { record(s, 'residue').left.push({ system: 'process', object: 'postgres 1' }); } },
  { name: 'a cleanup that failed', gives: ['residue'], mutate: (s) => { for (const one of data(s, 'cleanup.finished')) one.ok = false; } },
  { name: 'a cleanup that never ran', gives: ['residue'], mutate: (s) => { dropType(s, 'cleanup.started', 'cleanup.finished'); } },
  { name: 'a cleanup that --keep did not mean', gives: ['residue'], mutate: (s) => { dropType(s, 'cleanup.started', 'cleanup.finished'); s.entries.push(entry(12_100, 'run.kept', { cleanups: ['other'], things: [], until: 'removed' })); } },
  { name: 'a cleanup step that failed', gives: ['residue'], mutate: (s) => { fail(s, 'tidy', 'failed'); } },

  { name: 'no availability probe', gives: ['rto-not-measured'], mutate: (s) => { s.plan.binding.probes = s.plan.binding.probes.filter(({ id }) => id !== 'availability'); } },
  { name: 'no sample at all', gives: ['rto-not-measured', 'probe-gap'], mutate: (s) => { dropType(s, 'probe.sample'); } },
  { name: 'a fault that no client noticed', gives: ['rto-not-measured'], mutate: (s) => { for (const one of data(s, 'probe.sample')) Object.assign(one, { read: true, write: true }); } },
  { name: 'a fault of which clients noticed only the switch', gives: ['rto-not-measured'], mutate: (s) => { for (const one of data(s, 'probe.sample')) if (one.sent.at < utc(9050)) Object.assign(one, { read: true, write: true }); } },
  { name: 'reads that came back without writes', gives: ['rto-not-measured', 'rpo-not-measured'], mutate: (s) => { for (const one of data(s, 'probe.sample')) if (one.sent.at >= utc(9000)) Object.assign(one, { read: true, write: false }); } },
  { name: 'a last sample that failed', gives: ['rto-not-measured', 'rpo-not-measured'], mutate: (s) => { Object.assign(data(s, 'probe.sample').at(-1) ?? {}, { write: false }); } },
  { name: 'health one millisecond too short', gives: ['rto-not-measured'], mutate: (s) => { s.plan.binding.environment.stableForMs = endAt - restoredAt + 1; } },
  { name: 'no healthy baseline', gives: ['rto-not-measured'], mutate: (s) => { drop(s, (one) => one.type === 'probe.sample' && one.at < faultAt - 450); } },
  { name: 'two faults', gives: ['rto-not-measured', 'rpo-not-measured'], mutate: (s) => { s.entries.push(entry(5050, 'fault.sent', { kind: 'injected', instant: at(5050), detail: '' }, 'break')); } },
  { name: 'no fault', gives: ['rto-not-measured', 'rpo-not-measured'], mutate: (s) => { dropType(s, 'fault.sent'); } },
  { name: 'a fault dated after the inject step', gives: ['rto-not-measured', 'rpo-not-measured'], mutate: (s) => { for (const one of s.entries) if (one.type === 'fault.sent') { one.at = 8500; one.data = { kind: 'injected', instant: at(8499), detail: '' }; } } },
  { name: 'a gate that began before the fault', gives: ['rto-not-measured'], mutate: (s) => { for (const one of s.entries) if (one.step === 'healthy' && one.type === 'step.started') one.at = 4000; } },
  { name: 'an idle database', gives: ['rpo-not-measured'], mutate: (s) => { for (const one of data(s, 'ledger.row')) if (one.sent.at >= utc(2950) && one.sent.at < utc(faultAt)) one.acked = null; } },
  { name: 'no rows at all', gives: ['rpo-not-measured'], mutate: (s) => { dropType(s, 'ledger.row'); } },
  { name: 'nobody read the rows back', gives: ['rpo-not-measured'], mutate: (s) => { dropType(s, 'ledger.recovered'); } },
  { name: 'rows read on the source', gives: ['rpo-not-measured'], mutate: (s) => { for (const one of data(s, 'ledger.recovered')) Object.assign(one, { timeline: 1, ranges: [[1, 100]] }); } },
  { name: 'rows that nobody sent', gives: ['rpo-not-measured'], mutate: (s) => { for (const one of data(s, 'ledger.recovered')) one.ranges = [[1, 27], [73, 101]]; } },
  { name: 'rows missing from the journal', gives: ['rpo-not-measured'], mutate: (s) => { drop(s, (one) => one.type === 'ledger.row' && one.at === 1955 + 2000); } },
  { name: 'ranges that do not rise', gives: ['rpo-not-measured'], mutate: (s) => { for (const one of data(s, 'ledger.recovered')) one.ranges = [[73, 100], [1, 27]]; } },
  { name: 'no ledger row recovered', gives: ['rpo-not-measured'], mutate: (s) => { for (const one of data(s, 'ledger.recovered')) one.ranges = [[73, 100]]; } },
  { name: 'a required kind that nothing delivered', gives: ['evidence-missing'], mutate: (s) => { drop(s, (one) => one.type === 'evidence.recorded' && JSON.stringify(one.data).startsWith('{"kind":"health-checks"')); } },
  { name: 'no wal-end', gives: ['evidence-missing'], mutate: (s) => { drop(s, (one) => one.type === 'evidence.recorded' && one.step === 'wal-end'); } },
  { name: 'a restore from a backup that nobody describes', gives: ['evidence-missing'], mutate: (s) => { target(s, { backup: 'b2' }); } },
  { name: 'an archive not listed afterwards', gives: ['evidence-missing'], mutate: (s) => { drop(s, (one) => one.type === 'evidence.recorded' && one.at === 9850); } },
  { name: 'malformed evidence', gives: ['evidence-missing'], mutate: (s) => { s.entries.push(entry(9500, 'evidence.recorded', { kind: 'wal-end', data: { connection: 7 } })); } },
  { name: 'a service that came back on another server than the compared one', gives: ['evidence-missing'], mutate: (s) => { Object.assign(s.plan.binding.environment.connections, { other: s.plan.binding.environment.connections['copy'] }); record(s, 'reconciliation').connection = 'other'; } },
  { name: 'no inventory', gives: ['evidence-missing'], mutate: (s) => { drop(s, (one) => one.at === 12_400); } },
  { name: 'a manual step that nobody answered', gives: ['manual-unanswered'], mutate: (s) => { Object.assign(data(s, 'human.done')[0] ?? {}, { answered: false }); fail(s, 'decide', 'failed'); } },
  { name: 'a manual step done without being asked', gives: ['manual-unanswered'], mutate: (s) => { dropType(s, 'human.asked', 'human.began', 'human.done'); } },
  { name: 'a step that the operator skipped', gives: ['step-skipped'], mutate: (s) => { drop(s, (one) => one.step === 'noticed'); s.entries.push(entry(5200, 'step.skipped', { because: 'operator', detail: '' }, 'noticed')); } },
  { name: 'no end of the run', gives: ['partial-run'], mutate: (s) => { dropType(s, 'run.finished'); } },
  { name: 'a step without an end', gives: ['partial-run'], mutate: (s) => { drop(s, (one) => one.type === 'step.finished' && one.step === 'content'); } },
  { name: 'a step that never ran', gives: ['partial-run'], mutate: (s) => { drop(s, (one) => one.step === 'noticed'); } },
  { name: 'a step skipped though nothing failed', gives: ['partial-run'], mutate: (s) => { drop(s, (one) => one.step === 'noticed'); s.entries.push(entry(5200, 'step.skipped', { because: 'earlier-failure', detail: '' }, 'noticed')); } },
  { name: 'a step that the plan does not have', gives: ['partial-run'], mutate: (s) => { s.entries.push(entry(5200, 'step.started', { uses: 'exec', with: {} }, 'other')); } },
  { name: 'another plan', gives: ['partial-run'], mutate: (s) => { s.plan.digest = 'other'; } },
  { name: 'objectives that the runbook does not have', gives: ['partial-run'], mutate: (s) => { s.plan.binding.objectives.rtoMs = 3_600_000; } },
  { name: 'a watcher with a gap', gives: ['watch-gap'], mutate: (s) => { s.entries.push(entry(7000, 'watch.gap', { watcher: 'postgres', required: true, detail: 'relist' })); } },
  { name: 'a required watcher that never ended', gives: ['watch-gap'], mutate: (s) => { dropType(s, 'watch.ended'); } },
  { name: 'a required watcher that never looked', gives: ['watch-gap'], mutate: (s) => { for (const one of data(s, 'watch.ended')) one.checks = 0; } },
  { name: 'time without samples', gives: ['probe-gap'], mutate: (s) => { drop(s, (one) => one.type === 'probe.sample' && one.at > 6000 && one.at < 7200); } },
  { name: 'an isolation check that could not run', gives: ['isolation-unproven'], mutate: (s) => { Object.assign(record(s, 'isolation', 1).checks[0] ?? {}, { found: 'could-not-run' }); } },
  { name: 'an allowed address that failed too', gives: ['isolation-unproven'], mutate: (s) => { Object.assign(record(s, 'isolation', 1).checks[1] ?? {}, { found: 'unreachable' }); } },
  { name: 'no isolation check afterwards', gives: ['isolation-unproven'], mutate: (s) => { drop(s, (one) => one.at === 12_300); } },
  { name: 'production not looked at afterwards', gives: ['isolation-unproven'], mutate: (s) => { drop(s, (one) => one.at === 12_310); } },
  { name: 'production that could not be looked at', gives: ['isolation-unproven'], mutate: (s) => { record(s, 'production-fingerprint', 0).error = 'no connection'; } },
  { name: 'an archive of production that another process listed', gives: ['isolation-unproven'], mutate: (s) => { const { archive } = record(s, 'production-fingerprint', 3); if (archive) { archive.digest = 'other'; delete archive.removed; } } },
  { name: 'a backup of the drill outside a sandbox', gives: ['backup-made-by-drill'], mutate: (s) => { record(s, 'backup').origin = 'drill'; } },
  { name: 'a drill that was cancelled', gives: ['cancelled'], mutate: (s) => { s.entries.push(entry(7000, 'cancel.requested', { by: 'ann' })); drop(s, (one) => one.at > 8000 && one.at < 12_100 && one.type !== 'probe.sample' && one.type !== 'ledger.row'); fail(s, 'restore', 'cancelled'); } },
];

function expected(gives: readonly ReasonCode[]): Verdict {
  if (gives.some((code) => (reasonCodes.failed as readonly string[]).includes(code))) return 'failed';
  return gives.some((code) => (reasonCodes.incomplete as readonly string[]).includes(code)) ? 'incomplete' : 'cancelled';
}

describe('every reason comes from what it names, and from nothing else', () => {
  it.each(mutations)('$name: $gives', ({ gives, mutate }) => {
    const story = passing();
    mutate(story);
    const drill = verdictOf(story);
    expect(codes(drill)).toEqual([...gives]);
    expect(drill.verdict).toBe(expected(gives));
  });

  it('leaves no reason untested', () => {
    const all = [...reasonCodes.failed, ...reasonCodes.incomplete, ...reasonCodes.cancelled];
    expect(all.filter((code) => !mutations.some(({ gives }) => gives.includes(code)))).toEqual([]);
  });
});

describe('what is no fault passes', () => {
  const harmless: [string, (story: Story) => unknown][] = [
    ['an unacknowledged row that survived', (s) => { for (const one of data(s, 'ledger.row')) if (one.n === 20) one.acked = null; }],
    ['a change that is ours, one that is allowed and one elsewhere', (s) => { s.entries.push(observed({ ours: true }), observed({ allowedBy: 'autovacuum' }), observed({ scope: 'elsewhere' })); }],
    ['a gap of an advisory watcher', (s) => { s.entries.push(entry(7000, 'watch.gap', { watcher: 'directory', required: false, detail: '' })); }],
    ['a time target at the very end of the backup', (s) => { record(s, 'backup').finishedAt = utc(4700); }],
    ['a time given to the nanosecond', (s) => target(s, { requested: utc(4700).replace('Z', '000999Z') })],
    ['a fully replayed archive', (s) => { target(s, { type: 'latest', requested: null, sent: null }); walEnd(s, { stop: { kind: 'end-of-wal' }, history: [{ timeline: 1, switchLsn: '0/3000000' }], replayEndLsn: '0/2FFFFD8' }); }],
    ['a record that continues in a segment never archived', (s) => { target(s, { type: 'latest', requested: null, sent: null }); walEnd(s, { stop: { kind: 'end-of-wal' }, history: [{ timeline: 1, switchLsn: '0/2FFE000' }], replayEndLsn: '0/2FFDF00' }); }],
    ['an exclusive target with the commit at it left out', (s) => { target(s, { inclusive: false }); walEnd(s, { stop: { kind: 'before', time: utc(4700) } }); }],
    ['a transaction target', (s) => { target(s, { type: 'xid', requested: '900', sent: '900' }); walEnd(s, { stop: { kind: 'after', xid: '900' } }); }],
    ['a named target', (s) => { target(s, { type: 'name', requested: 'p1', sent: 'p1' }); walEnd(s, { stop: { kind: 'restore-point', name: 'p1' } }); }],
    ['an LSN target', (s) => { target(s, { type: 'lsn', requested: '0/3000100', sent: '0/3000100' }); walEnd(s, { stop: { kind: 'lsn', lsn: '0/3000100' } }); }],
    ['a source that had been promoted before the backup', (s) => { record(s, 'backup').timeline = 4; record(s, 'reference').timeline = 4; record(s, 'archive').sourceTimeline = 4; walEnd(s, { timeline: 5, history: [{ timeline: 3, switchLsn: '0/1000000' }, { timeline: 4, switchLsn: '0/3000140' }] }); for (const one of data(s, 'ledger.recovered')) one.timeline = 5; }],
    ['what --keep left on purpose', (s) => { const cleanups = data(s, 'cleanup.deferred').map(({ id }) => id); dropType(s, 'cleanup.started', 'cleanup.finished'); s.entries.push(entry(12_100, 'run.kept', { cleanups, things: [{ system: 'postgres:copy', object: '127.0.0.1:1' }], until: 'removed' })); }],
    ['an uncommitted runbook where any is allowed', (s) => { s.plan.binding.environment.runbooks = 'any'; s.plan.binding.runbook.git = null; }],
    ['a health check that holds at the second try', (s) => { s.entries.push(evidence(9300, 'health-checks', { checks: [{ name: 'reads', ok: false, detail: '' }] }, 'healthy')); }],
    ['an objective met to the microsecond', (s) => { objectives(s, 4500, 345); }],
    ['health exactly long enough', (s) => { s.plan.binding.environment.stableForMs = endAt - restoredAt; }],
    ['a ledger acknowledged exactly at the edge of freshness', (s) => { for (const one of data(s, 'ledger.row')) if (one.n > 10 && one.n <= 30) one.acked = null; for (const one of data(s, 'ledger.row')) if (one.n === 10) one.acked = at(3000); }],
  ];
  it.each(harmless)('%s', (_name, mutate) => {
    const story = passing();
    mutate(story);
    expect(verdictOf(story).reasons).toEqual([]);
  });
});

describe('precedence', () => {
  const cancel = entry(7000, 'cancel.requested', { by: 'ann' });
  it('puts failed over incomplete over cancelled', () => {
    const incomplete = passing();
    record(incomplete, 'backup').origin = 'drill';
    incomplete.entries.push(cancel);
    expect(verdictOf(incomplete)).toMatchObject({ verdict: 'incomplete' });
    expect(codes(verdictOf(incomplete))).toEqual(['backup-made-by-drill', 'cancelled']);
    incomplete.entries.push(observed());
    expect(verdictOf(incomplete)).toMatchObject({ verdict: 'failed' });
    expect(codes(verdictOf(incomplete))).toEqual(['undocumented-change', 'backup-made-by-drill', 'cancelled']);
  });

  it('never takes a cancelled run without an end for one that was cleaned up', () => {
    const story = passing();
    story.entries.push(cancel);
    dropType(story, 'run.finished');
    expect(codes(verdictOf(story))).toEqual(['partial-run', 'cancelled']);
  });
});
