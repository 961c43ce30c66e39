import { canonicalJson } from '../../../src/engine/canonical.js';
import type { Runbook } from '../../../src/engine/documents.js';
import type { Drill } from '../../../src/engine/drill.js';
import type { DrillEvent, EventDataOf, EventType } from '../../../src/engine/events.js';
import type { EvidenceKind, EvidenceOf } from '../../../src/engine/kinds/index.js';
import { flattenSteps, type Plan, type PlanProbe, type PlanStep } from '../../../src/engine/plan-document.js';
import { derive } from '../../../src/engine/verdict.js';

const epoch = Date.parse('2026-03-01T12:00:00.000Z');
const boot = 'boot-1';

/** `ms` after the start of the drill; `wall` moves only the UTC reading. */
export const at = (ms: number, wall = 0) => ({ at: new Date(epoch + Math.trunc(ms) + wall).toISOString(), mono: String(BigInt(Math.round(ms * 1e6)) + 5_000_000_000_000_000n) });
export const utc = (ms: number) => at(ms).at;

export interface Entry {
  at: number;
  type: EventType;
  data: unknown;
  step?: string;
  wall?: number;
  boot?: string;
}

/** Everything `derive` takes, easy to change before it is built. */
export interface Story {
  runbook: Runbook;
  plan: Plan;
  entries: Entry[];
}

export function entry<T extends EventType>(ms: number, type: T, data: EventDataOf<T>, step?: string): Entry {
  return { at: ms, type, data, ...(step === undefined ? {} : { step }) };
}

export const evidence = <K extends EvidenceKind>(ms: number, kind: K, data: EvidenceOf<K>, step?: string): Entry => entry(ms, 'evidence.recorded', { kind, data }, step);

export function step(id: string, phase: PlanStep['phase'], more: Partial<PlanStep> = {}): PlanStep {
  return { kind: 'step', id, title: null, phase, uses: 'wait', with: {}, effect: 'read', does: '', calls: [], undo: [], changes: [], permissions: [], files: [], timeoutMs: 60_000, totalTimeoutMs: null, attempts: 1, retryDelayMs: 0, gate: false, ...more };
}

export const probe = (id: string, samples: PlanProbe['samples'], everyMs = 100): PlanProbe => ({ id, uses: `postgres.${samples}`, with: { endpoint: 'app' }, samples, everyMs, does: '', changes: [], permissions: [] });

const table = { rows: 100, checksum: 'ab' };

export const faultAt = 5000;
export const switchAt = 9000;
export const restoredAt = 9210;
export const gateAt = 9500;
export const endAt = 12_000;

/** When each step begins and ends, ms. */
const times: Record<string, [number, number]> = {
  backup: [500, 1500], reference: [4500, 4800], break: [4950, 5100], noticed: [5100, 5300], decide: [5300, 6000],
  restore: [6000, 8000], 'wal-end': [8000, 8900], switch: [switchAt, 9050], healthy: [9100, gateAt], content: [gateAt, 9900], tidy: [12_200, 12_250],
};

function samples(): Entry[] {
  const list: Entry[] = [];
  for (let sent = 2000; sent <= 11_900; sent += 100) {
    const healthy = sent < faultAt || sent >= 9200;
    list.push(entry(sent + 10, 'probe.sample', { probe: 'availability', endpoint: 'app', read: healthy, write: healthy, control: true, sent: at(sent), done: at(sent + 10) }));
  }
  return list;
}

/** Row n is sent 50 ms after the sample before it; the restore point lies between rows 27 and 28. */
function rows(): Entry[] {
  const list: Entry[] = [];
  for (let n = 1; n <= 100; n += 1) {
    const sent = 1950 + n * 100;
    const acked = sent < 9000 || sent > 9200 ? at(sent + 5) : null;
    list.push(entry(sent + 5, 'ledger.row', { probe: 'ledger', store: 'app', n, sent: at(sent), acked }));
  }
  return list;
}

/** A point-in-time restore that passes: fault at 5 s, target at 4.7 s, service back at 9.21 s, gate at 9.5 s. */
export function passing(): Story {
  const steps = [
    step('backup', 'prepare'), step('reference', 'inject'), step('break', 'inject', { effect: 'destroy' }), step('noticed', 'detect'), step('decide', 'decide', { uses: 'manual' }), step('restore', 'restore'), step('wal-end', 'restore'),
    step('switch', 'cutover'), step('healthy', 'verify', { gate: true }), step('content', 'verify'),
  ];
  const cleanup = [step('tidy', 'cleanup')];
  const git = { commit: 'c0ffee', path: 'runbooks/pitr.yaml', tracked: true, clean: true };
  const runbook: Runbook = {
    apiVersion: 'muster/v1', kind: 'Runbook', metadata: { name: 'pitr', version: '1.0.0', title: 'Point in time', owner: 'team' }, objectives: { rto: '1m', rpo: '5s' }, fault: 'injected',
    requires: {}, steps: [{ id: 'backup', phase: 'prepare', uses: 'wait' }], evidence: { require: ['backup', 'restore-target', 'wal-end', 'archive', 'health-checks', 'reconciliation', 'isolation'] },
  };
  const plan: Plan = {
    schema: 'muster/plan/v1',
    digest: 'plan-digest',
    binding: {
      rules: 1, tool: '0.1.0', runbook: { name: 'pitr', version: '1.0.0', title: 'Point in time', owner: 'team', controls: [], sha256: 'aa', git },
      environment: {
        name: 'staging', sha256: 'bb', sandbox: false, git, runbooks: 'committed', stableForMs: 2000,
        connections: { source: { kind: 'postgres', role: 'source', provision: 'existing', with: {}, does: '' }, copy: { kind: 'postgres', role: 'target', provision: 'restored-postgres', with: {}, does: '' }, prod: { kind: 'postgres', role: 'production', provision: 'existing-postgres', with: {}, does: '' }, 'prod-backups': { kind: 'postgres-backups', role: 'production', provision: 'pgbackrest', with: {}, does: '' } },
        endpoints: { app: { provision: 'forwarder', to: 'source', host: null, port: null } }, boundary: {}, forbidden: ['prod:5432'], watch: { required: ['postgres'] }, approvals: {},
      },
      inputs: {}, objectives: { rtoMs: 60_000, rpoMs: 5000 }, fault: 'injected', probes: [probe('ledger', 'ledger'), probe('availability', 'availability'), probe('archive', 'archive')],
      steps: steps.map((planned) => planned), cleanup, requiredEvidence: runbook.evidence?.require ?? [],
    },
    observed: { at: utc(0), checks: [] },
  };
  const isolation = (when: 'before' | 'after'): EvidenceOf<'isolation'> => ({ when, from: 'host h', checks: [{ target: 'prod:5432', expected: 'unreachable', found: 'unreachable', detail: '' }, { target: 'app:5432', expected: 'reachable', found: 'reachable', detail: '' }] });
  const prod = (when: 'before' | 'after'): EvidenceOf<'production-fingerprint'> => ({ connection: 'prod', when, as: 'look', systemId: '55', timeline: 4, powers: [], archive: null });
  const prodBackups = (when: 'before' | 'after'): EvidenceOf<'production-fingerprint'> => ({ connection: 'prod-backups', when, as: null, systemId: null, timeline: null, powers: [], archive: { files: 9, digest: 'd9', ...(when === 'after' ? { removed: [], changed: [] } : {}) } });
  const entries: Entry[] = [
    entry(0, 'run.started', { run: 'run-1', tool: { version: '0.1.0', node: '20', platform: 'linux' }, operator: 'ann', host: 'h', plan: 'plan-digest', sandbox: false }),
    entry(100, 'endpoint.opened', { endpoint: 'app', host: '127.0.0.1', port: 1, to: 'source' }),
    entry(200, 'cleanup.deferred', { id: 'c1', uses: 'postgres.restore/remove', with: {} }),
    evidence(1400, 'backup', { repository: 'backups', name: 'b1', provider: 'directory', origin: 'schedule', startedAt: utc(600), finishedAt: utc(1300), startLsn: '0/2000000', stopLsn: '0/2000100', timeline: 1, systemId: '77', serverVersion: '18.4' }, 'backup'),
    evidence(1450, 'isolation', isolation('before')),
    evidence(1460, 'production-fingerprint', prod('before')),
    evidence(1461, 'production-fingerprint', prodBackups('before')),
    evidence(4700, 'reference', { connection: 'source', lsn: '0/3000000', time: utc(4700), timeline: 1, tables: { orders: { ...table } } }, 'reference'),
    entry(4900, 'archive.sample', { probe: 'archive', store: 'source', instant: at(4900), lastArchived: '000000010000000000000002', endLsn: '0/3000000', failed: 0 }),
    entry(faultAt + 1, 'fault.sent', { kind: 'injected', instant: at(faultAt), detail: 'DROP TABLE' }, 'break'),
    entry(5310, 'human.asked', { instructions: 'Decide', instant: at(5310) }, 'decide'),
    entry(5710, 'human.began', { who: 'ann', instant: at(5710) }, 'decide'),
    entry(5960, 'human.done', { who: 'ann', instant: at(5960), answered: true, attestation: 'ok' }, 'decide'),
    evidence(6010, 'archive', { repository: 'backups', when: 'before', sourceTimeline: 1, files: 3, digest: 'd1' }, 'restore'),
    evidence(6050, 'restore-target', { connection: 'copy', backup: 'b1', type: 'time', requested: utc(4700), sent: utc(4700).replace('T', ' ').replace('Z', '+00'), inclusive: true, timeline: 'latest', settings: {} }, 'restore'),
    evidence(8800, 'wal-end', { connection: 'copy', stop: { kind: 'before', xid: '900', time: utc(4755) }, logLine: 'recovery stopping before commit', replayEndLsn: '0/3000100', lastCommitAt: utc(4655), inRecovery: false, systemId: '77', timeline: 2, history: [{ timeline: 1, switchLsn: '0/3000140' }], archiveMode: 'off' }, 'wal-end'),
    entry(9040, 'endpoint.switched', { endpoint: 'app', from: 'source', to: 'copy' }, 'switch'),
    evidence(9400, 'health-checks', { checks: [{ name: 'reads', ok: true, detail: '' }] }, 'healthy'),
    evidence(9800, 'reconciliation', { connection: 'copy', reference: 'snapshot', tables: [{ table: 'orders', expected: { ...table }, actual: { ...table } }], invariants: [{ name: 'sum', holds: true, detail: '' }], consistency: [{ check: 'amcheck', object: 'orders', ok: true, detail: '' }], boundary: [{ name: 'before', expected: 'present', found: 'present' }, { name: 'after', expected: 'absent', found: 'absent' }] }, 'content'),
    evidence(9850, 'archive', { repository: 'backups', when: 'after', sourceTimeline: 1, files: 4, digest: 'd2', added: [{ name: '000000010000000000000003', timeline: 1 }], removed: [], changed: [] }, 'content'),
    entry(endAt, 'verification.ended', {}),
    entry(12_100, 'ledger.recovered', { probe: 'ledger', store: 'app', ranges: [[1, 27], [73, 100]], systemId: '77', timeline: 2 }),
    entry(12_150, 'cleanup.started', { id: 'c1' }),
    entry(12_190, 'cleanup.finished', { id: 'c1', ok: true }),
    evidence(12_300, 'isolation', isolation('after')),
    evidence(12_310, 'production-fingerprint', prod('after')),
    evidence(12_311, 'production-fingerprint', prodBackups('after')),
    entry(12_350, 'watch.ended', { watcher: 'postgres', checks: 3 }),
    evidence(12_400, 'residue', { left: [] }),
    entry(12_500, 'run.finished', {}),
    ...samples(),
    ...rows(),
  ];
  for (const { step: planned } of [...flattenSteps(plan.binding.steps), ...cleanup.map((one) => ({ step: one }))]) {
    const [start, end] = times[planned.id] ?? [0, 0];
    entries.push(entry(start, 'step.started', { uses: planned.uses, with: {} }, planned.id), entry(end, 'step.finished', { status: 'succeeded' }, planned.id));
  }
  return { runbook, plan, entries };
}

/** The journal, in order of time. */
export function journal(story: Story): DrillEvent[] {
  return [...story.entries]
    .sort((a, b) => a.at - b.at)
    .map(({ at: ms, type, data, step: id, wall, boot: own }, index) => ({ seq: index + 1, ...at(ms, wall), boot: own ?? boot, ...(id === undefined ? {} : { step: id }), prev: '0'.repeat(64), type, data }) as unknown as DrillEvent);
}

export const verdictOf = (story: Story): Drill => derive(story.runbook, story.plan, journal(story));

export const renumber = (events: readonly DrillEvent[]): DrillEvent[] => events.map((event, index) => ({ ...event, seq: index + 1 }));

export const codes = (drill: Drill): string[] => [...new Set(drill.reasons.map(({ code }) => code))];

/** The entries of one type, their data open for change. */
export function data<T extends EventType>(story: Story, type: T): EventDataOf<T>[] {
  return story.entries.filter((one) => one.type === type).map((one) => one.data as EventDataOf<T>);
}

/** The first record of a kind, open for change. */
export function record<K extends EvidenceKind>(story: Story, kind: K, which = 0): EvidenceOf<K> {
  const found = data(story, 'evidence.recorded').filter((one) => one.kind === kind)[which];
  if (!found) throw new Error(`no evidence ${kind}`);
  return found.data as EvidenceOf<K>;
}

export function drop(story: Story, which: (one: Entry) => boolean): void {
  story.entries = story.entries.filter((one) => !which(one));
}

export const dropType = (story: Story, ...types: EventType[]): void => drop(story, ({ type }) => types.includes(type));

export function objectives(story: Story, rtoMs: number | null, rpoMs: number | null): void {
  story.plan.binding.objectives = { rtoMs, rpoMs };
  story.runbook.objectives = { ...(rtoMs === null ? {} : { rto: rtoMs === 0 ? '0' : `${rtoMs}ms` }), ...(rpoMs === null ? {} : { rpo: rpoMs === 0 ? '0' : `${rpoMs}ms` }) };
}

export const canonical = (drill: Drill): string => canonicalJson(drill);
