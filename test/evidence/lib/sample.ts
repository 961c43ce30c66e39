import { canonicalJson, sha256 } from '../../../src/engine/canonical.js';
import type { Runbook } from '../../../src/engine/documents.js';
import type { DrillEvent, EventDataOf, EventType } from '../../../src/engine/events.js';
import { parseSource } from '../../../src/engine/load/source.js';
import { toolVersion } from '../../../src/engine/package-root.js';
import type { Plan, PlanStep } from '../../../src/engine/plan-document.js';

/** A whole run, made from nothing but its options: what a bundle is written from. */
export interface SampleRun {
  readonly runId: string;
  readonly runbookText: string;
  readonly environmentText: string;
  readonly runbook: Runbook;
  readonly plan: Plan;
  readonly events: readonly DrillEvent[];
  readonly journalText: string;
}

export interface SampleOptions {
  readonly title?: string;
  readonly tool?: string;
  /** Milliseconds between two samples. */
  readonly every?: number;
  readonly rtoMs?: number;
  /** A step that did not succeed, and the steps after it. */
  readonly failAt?: string;
  readonly extraSteps?: number;
  /** Takes part in every text that a user or a server supplies. */
  readonly hostile?: string;
}

interface Step {
  readonly id: string;
  readonly title?: string;
  readonly phase: PlanStep['phase'];
  readonly uses: string;
  /** Milliseconds from the start of the run. */
  readonly from: number;
  readonly to: number;
  readonly gate?: boolean;
}

const steps: readonly Step[] = [
  { id: 'seed', phase: 'prepare', uses: 'postgres.seed', from: 900, to: 2900 },
  { id: 'backup', phase: 'prepare', uses: 'postgres.backup', from: 2900, to: 4600 },
  { id: 'reference', title: 'What the tables hold at the restore point', phase: 'inject', uses: 'postgres.snapshot', from: 7000, to: 7700 },
  { id: 'bad-deploy', phase: 'inject', uses: 'postgres.sql', from: 7700, to: 7740 },
  { id: 'noticed', phase: 'detect', uses: 'wait', from: 7740, to: 8300 },
  { id: 'approve', title: 'The incident lead decides to restore', phase: 'decide', uses: 'manual', from: 8300, to: 10900 },
  { id: 'restore', phase: 'restore', uses: 'postgres.restore', from: 10900, to: 15400 },
  { id: 'wal-end', title: 'The restore point that was really reached', phase: 'restore', uses: 'postgres.wal-end', from: 15400, to: 15600 },
  { id: 'switch', phase: 'cutover', uses: 'endpoint.switch', from: 15600, to: 15650 },
  { id: 'healthy', phase: 'verify', uses: 'postgres.sql', from: 15650, to: 15700, gate: true },
  { id: 'content', phase: 'verify', uses: 'postgres.verify', from: 15700, to: 16900 },
];

const origin = Date.parse('2026-11-20T07:00:00.000Z');
const originMono = 5_000_000_000n;
const instant = (ms: number) => ({ at: new Date(origin + ms).toISOString(), mono: String(originMono + BigInt(Math.round(ms * 1e6))) });

export function sampleRun(options: SampleOptions = {}): SampleRun {
  const { title = 'Restore PostgreSQL to the moment before a bad deploy', every = 200, rtoMs = 15 * 60_000, extraSteps = 0, hostile = '' } = options;
  const all = [...Array.from({ length: extraSteps }, (_, n): Step => ({ id: `extra-${n}`, phase: 'prepare', uses: 'exec', from: 100 + n / 10, to: 100.1 + n / 10 })), ...steps];
  const runId = '20261120T070000Z-pitr-restore-0a1b2c';
  const runbookText = runbookYaml(title + hostile, rtoMs, all);
  const runbook = parseSource('runbook.yaml', runbookText).value as Runbook;
  const environmentText = 'apiVersion: muster/v1\nkind: Environment\nmetadata: { name: sandbox, sandbox: true }\nconnections: {}\nboundary: {}\nrunbooks: any\n';
  const binding = bindingOf(runbook, runbookText, environmentText, rtoMs, all, options.tool ?? toolVersion());
  const plan: Plan = { schema: 'muster/plan/v1', binding, digest: sha256(canonicalJson(binding)), observed: { at: instant(0).at, checks: [] } };
  const events = journal(runId, plan, all, { ...options, every, hostile });
  return { runId, runbookText, environmentText, runbook, plan, events, journalText: chained(events) };
}

/** The journal's text for events, with a fresh chain: what an attacker can make as well. */
export function chained(events: readonly DrillEvent[]): string {
  let prev = '0'.repeat(64);
  const lines = events.map((event, index) => {
    const line = JSON.stringify({ ...event, seq: index + 1, prev });
    prev = sha256(line);
    return `${line}\n`;
  });
  return lines.join('');
}

function runbookYaml(title: string, rtoMs: number, all: readonly Step[]): string {
  return `apiVersion: muster/v1
kind: Runbook
metadata:
  name: pitr-restore
  version: 1.0.0
  title: ${JSON.stringify(title)}
  owner: platform-team
  controls: [soc2/A1.3, iso27001/A.8.13, nist-800-53/CP-9(1)]
objectives: { rto: ${rtoMs}ms, rpo: 60s }
fault: injected
requires: { source: postgres, copy: postgres, app: endpoint }
probes:
  availability: { uses: postgres.availability, with: { endpoint: app } }
  ledger: { uses: postgres.ledger, with: { endpoint: app } }
steps:
${all.map((step) => `  - { id: ${step.id}, phase: ${step.phase}, uses: ${step.uses}${step.title === undefined ? '' : `, title: ${JSON.stringify(step.title)}`}${step.gate === true ? ', gate: true' : ''} }\n`).join('')}evidence: { require: [backup, restore-target, wal-end, health-checks, reconciliation] }
`;
}

function bindingOf(runbook: Runbook, runbookText: string, environmentText: string, rtoMs: number, all: readonly Step[], tool: string): Plan['binding'] {
  const { name, version, title, owner, controls } = runbook.metadata;
  const connection = (role: 'source' | 'target', provision: string, kind = 'postgres') => ({ kind, role, provision, with: {}, does: `provisions it by ${provision}` });
  const probe = (id: string, samples: 'availability' | 'ledger') => ({ id, uses: `postgres.${samples}`, with: { endpoint: 'app' }, samples, everyMs: 200, does: 'samples', changes: [], permissions: [] });
  return {
    rules: 1,
    tool,
    runbook: { name, version, title, owner, controls: controls ?? [], sha256: sha256(runbookText), git: { commit: '0a1b2c3d4e5f60718293a4b5c6d7e8f901234567', path: 'runbooks/pitr-restore.yaml', tracked: true, clean: true } },
    environment: {
      name: 'sandbox', sha256: sha256(environmentText), sandbox: true, git: null, runbooks: 'any', stableForMs: 1000,
      connections: { source: connection('source', 'embedded-postgres'), backups: connection('source', 'directory', 'postgres-backups'), copy: connection('target', 'restored-postgres') },
      endpoints: { app: { provision: 'forwarder', to: 'source', host: null, port: null } },
      boundary: {}, forbidden: [], watch: {}, approvals: {},
    },
    inputs: {},
    objectives: { rtoMs, rpoMs: 60_000 },
    fault: 'injected',
    probes: [probe('availability', 'availability'), probe('ledger', 'ledger')],
    steps: all.map((step) => ({
      kind: 'step', id: step.id, title: step.title ?? null, phase: step.phase, uses: step.uses, with: {}, effect: 'read', does: `does ${step.uses}`, calls: [], undo: [], changes: [], permissions: [],
      files: [], timeoutMs: 600_000, totalTimeoutMs: null, attempts: 2, retryDelayMs: 1000, gate: step.gate ?? false,
    })),
    cleanup: [],
    requiredEvidence: ['backup', 'restore-target', 'wal-end', 'health-checks', 'reconciliation'],
  };
}

interface Draft {
  readonly ms: number;
  readonly type: EventType;
  readonly data: unknown;
  readonly step?: string;
  readonly attempt?: number;
}

function journal(runId: string, plan: Plan, all: readonly Step[], options: SampleOptions & { every: number; hostile: string }): DrillEvent[] {
  const drafts: Draft[] = [];
  const add = <T extends EventType>(ms: number, type: T, data: EventDataOf<T>, step?: string) => drafts.push({ ms, type, data, ...(step === undefined ? {} : { step, attempt: 1 }) });
  add(0, 'run.started', { run: runId, tool: { version: plan.binding.tool, node: '20.19.0', platform: 'linux x64' }, operator: `sam${options.hostile}`, host: 'drill-host', plan: plan.digest, sandbox: true });
  add(800, 'endpoint.opened', { endpoint: 'app', host: '127.0.0.1', port: 15432, to: 'source' });
  add(4700, 'probe.started', { probe: 'availability', uses: 'postgres.availability' });
  add(4700, 'probe.started', { probe: 'ledger', uses: 'postgres.ledger' });
  let failed = false;
  for (const step of all) {
    if (failed) {
      add(step.from, 'step.skipped', { because: 'earlier-failure', detail: 'an earlier step failed' }, step.id);
      continue;
    }
    add(step.from, 'step.started', { uses: step.uses, with: {} }, step.id);
    failed = step.id === options.failAt;
    if (step.id === 'bad-deploy') add(step.from + 2, 'fault.sent', { kind: 'injected', instant: instant(step.from + 1), detail: `DROP TABLE orders${options.hostile}` }, step.id);
    if (step.id === 'approve') {
      add(step.from + 1, 'human.asked', { instructions: 'Decide whether to restore.', instant: instant(step.from + 1) }, step.id);
      add(step.from + 1900, 'human.began', { who: 'kim', instant: instant(step.from + 1900) }, step.id);
      add(step.to - 1, 'human.done', { who: `kim${options.hostile}`, instant: instant(step.to - 1), answered: true, attestation: `restore it${options.hostile}` }, step.id);
    }
    if (step.id === 'switch') add(step.from + 20, 'endpoint.switched', { endpoint: 'app', from: 'source', to: 'copy' }, step.id);
    if (!failed) for (const [kind, data] of evidenceOf(step.id, options.hostile)) add(step.to - 0.5, 'evidence.recorded', { kind, data }, step.id);
    if (failed) add(step.to, 'step.finished', { status: 'failed', error: { code: 'command-failed', message: `it exited with 1${options.hostile}` } }, step.id);
    else add(step.to, 'step.finished', { status: 'succeeded', output: {} }, step.id);
  }
  const end = 19_500;
  const restored = failed ? Infinity : 15_640;
  let n = 0;
  for (let ms = 4750; ms < end; ms += options.every) {
    const up = ms < 7702 || ms > restored;
    add(ms + 3, 'probe.sample', { probe: 'availability', endpoint: 'app', read: up, write: up, control: null, sent: instant(ms), done: instant(ms + 2), ...(up ? {} : { error: `relation "orders" does not exist${options.hostile}` }) });
    n += 1;
    const writable = ms < 15_600 || ms > restored;
    add(ms + 4, 'ledger.row', { probe: 'ledger', store: 'source', n, sent: instant(ms), acked: writable ? instant(ms + 2) : null });
  }
  const before = Math.floor((7600 - 4750) / options.every) + 1;
  const after = Math.ceil((15_640 - 4750) / options.every) + 1;
  add(end, 'verification.ended', {});
  if (!failed) add(end + 1, 'ledger.recovered', { probe: 'ledger', store: 'source', ranges: [[1, before], [after, n]], systemId: '7412345678901234567', timeline: 2 });
  add(end + 2, 'probe.stopped', { probe: 'availability' });
  add(end + 3, 'probe.stopped', { probe: 'ledger' });
  add(end + 200, 'evidence.recorded', { kind: 'residue', data: { left: [] } });
  add(end + 201, 'run.finished', {});
  const ordered = drafts.map((draft, index) => ({ draft, index })).toSorted((a, b) => a.draft.ms - b.draft.ms || a.index - b.index);
  const events = ordered.map(({ draft: { ms, ...draft } }) => ({ seq: 0, ...instant(ms), boot: 'boot-1', prev: '', ...draft }));
  return chained(events as unknown as DrillEvent[]).trimEnd().split('\n').map((line) => JSON.parse(line) as DrillEvent);
}

type Evidence = { [K in EventDataOf<'evidence.recorded'>['kind']]: readonly [K, unknown] }[EventDataOf<'evidence.recorded'>['kind']];

function evidenceOf(step: string, hostile: string): Evidence[] {
  const digest = { rows: 100_000, checksum: '1a2b3c4d5e6f' };
  switch (step) {
    case 'backup':
      return [['backup', { repository: 'backups', name: `base-1${hostile}`, provider: 'directory', origin: 'drill', startedAt: instant(2900).at, finishedAt: instant(4500).at, startLsn: '0/2000028', stopLsn: '0/2000120', timeline: 1, systemId: '7412345678901234567', serverVersion: '18.4' }]];
    case 'reference':
      return [['reference', { connection: 'source', lsn: '0/3001A28', time: instant(7650).at, timeline: 1, tables: { orders: digest } }]];
    case 'restore':
      return [['restore-target', { connection: 'copy', backup: 'base-1', type: 'time', requested: instant(7650).at, sent: '2026-11-20 07:00:07.650+00', inclusive: true, timeline: 'latest', settings: { archive_mode: 'off' } }]];
    case 'wal-end':
      return [['wal-end', { connection: 'copy', stop: { kind: 'before', xid: '812', time: instant(7702).at }, logLine: `recovery stopping before commit of transaction 812${hostile}`, replayEndLsn: '0/3001A28', lastCommitAt: instant(7600).at, inRecovery: false, systemId: '7412345678901234567', timeline: 2, history: [{ timeline: 1, switchLsn: '0/3001A60' }], archiveMode: 'off' }]];
    case 'healthy':
      return [['health-checks', { checks: [{ name: `The service reads its table${hostile}`, ok: true, detail: 'one row' }] }]];
    case 'content':
      return [['reconciliation', { connection: 'copy', reference: 'snapshot', tables: [{ table: 'orders', expected: digest, actual: digest }], invariants: [], consistency: [{ check: 'amcheck', object: 'orders_pkey', ok: true, detail: '' }], boundary: [{ name: 'before', expected: 'present', found: 'present' }] }]];
    default:
      return [];
  }
}
