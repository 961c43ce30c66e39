import type { Drill } from '../engine/drill.js';
import type { DrillEvent } from '../engine/events.js';
import type { EvidenceKind } from '../engine/kinds/index.js';
import type { Plan } from '../engine/plan-document.js';
import { journalRecord, type JournalKind } from '../engine/kinds/journal.js';
import type { Fact, ReportFile, Tone } from './model-types.js';

export interface EvidenceItem {
  readonly kind: string;
  readonly words: string;
  readonly required: boolean;
  readonly status: string;
  readonly tone: Tone;
  /** What the last record says, in a line. */
  readonly says: string;
  /** Null when nothing was recorded. */
  readonly file: ReportFile | null;
}

/** What each kind is, and which of its facts make its line in the checklist. */
const shown = {
  backup: { words: 'The backup that was restored from', facts: ['name', 'origin', 'provider', 'finishedAt', 'stopLsn'] },
  'restore-target': { words: 'What PostgreSQL was asked to restore', facts: ['type', 'sent', 'backup', 'timeline'] },
  'wal-end': { words: 'The restore point that was really reached', facts: ['stop.kind', 'stop.time', 'stop.lsn', 'replayEndLsn', 'timeline', 'archiveMode'] },
  archive: { words: 'The archive, listed before and after', facts: ['repository', 'when', 'files', 'digest'] },
  reference: { words: 'What the tables held at the restore point', facts: ['connection', 'lsn', 'time'] },
  reconciliation: { words: 'Restored content against its reference', facts: ['connection', 'reference'] },
  'health-checks': { words: 'Checks of the recovered service', facts: [] },
  isolation: { words: 'What the restored copy could not reach', facts: ['when', 'from'] },
  'production-fingerprint': { words: 'What identifies production, before and after', facts: ['connection', 'when', 'systemId', 'timeline'] },
  'cluster-state': { words: 'What the database cluster said of itself, as it came', facts: ['cluster', 'phase', 'primary', 'timeline'] },
  archiving: { words: 'Where the restored copy archives', facts: ['connection', 'by', 'to'] },
  'infrastructure-code': { words: 'The code that was built from', facts: ['connection', 'commit', 'digest'] },
  'infrastructure-plan': { words: 'What was planned, and shown before it was applied', facts: ['connection', 'plan'] },
  'infrastructure-state': { words: 'Lineage and serial of each state', facts: ['connection', 'when'] },
  drift: { words: 'What was built, held against its code', facts: ['connection'] },
  'volume-snapshot': { words: 'The volume snapshot that was restored from', facts: ['snapshot', 'origin', 'startedAt', 'owner', 'volume'] },
  volume: { words: 'The volume that was made', facts: ['volume', 'snapshot', 'zone'] },
  'volume-swap': { words: 'Which volume a workload had and got', facts: ['workload', 'claim', 'from', 'to', 'snapshot'] },
  'object-versions': { words: 'Versions of a stored object', facts: ['bucket', 'key', 'versioning', 'versions', 'deleteMarkers'] },
  'namespace-inventory': { words: 'What a namespace is made of', facts: ['connection', 'namespace', 'digest'] },
  residue: { words: 'What the drill left behind', facts: [] },
  approvals: { words: 'Approvals of the plan that the run relied on', facts: ['who', 'file'] },
  changes: { words: 'What change watchers and people said was changed', facts: [] },
  clock: { words: 'The clocks at the beginning and end of each segment', facts: [] },
} as const satisfies Record<EvidenceKind | JournalKind, { words: string; facts: readonly string[] }>;

const known = (kind: string) => (Object.hasOwn(shown, kind) ? (kind as keyof typeof shown) : undefined);

/** Lists that are counted in the line: how many, and how many of them are as they should be. */
const counted: readonly { list: string; noun: string; good: (item: unknown) => boolean; word: string }[] = [
  { list: 'tables', noun: 'tables', good: (item) => JSON.stringify(at(item, 'expected')) === JSON.stringify(at(item, 'actual')) && at(item, 'actual') !== null, word: 'equal' },
  { list: 'invariants', noun: 'invariants', good: (item) => at(item, 'holds') === true, word: 'hold' },
  { list: 'consistency', noun: 'consistency checks', good: (item) => at(item, 'ok') === true, word: 'ok' },
  { list: 'boundary', noun: 'boundary rows', good: (item) => at(item, 'expected') === at(item, 'found'), word: 'as expected' },
  { list: 'checks', noun: 'checks', good: (item) => at(item, 'ok') === true || (at(item, 'expected') !== undefined && at(item, 'expected') === at(item, 'found')), word: 'as expected' },
  { list: 'left', noun: 'objects left', good: () => false, word: '' },
];

export function evidenceList(drill: Drill, events: readonly DrillEvent[], files: readonly ReportFile[]): EvidenceItem[] {
  const last = new Map<string, unknown>();
  for (const event of events) {
    const record = event.type === 'evidence.recorded' ? event.data : journalRecord(event);
    if (record !== undefined) last.set(record.kind, record.data);
  }
  return drill.evidence
    .filter(({ required, records }) => required || records > 0)
    .map(({ kind, required, records }) => {
      const name = known(kind);
      const file = files.find(({ path }) => path === `evidence/${kind}.json`) ?? null;
      const there = records > 0 && file !== null;
      return {
        kind,
        words: name === undefined ? '' : shown[name].words,
        required,
        status: there ? `${records} ${records === 1 ? 'record' : 'records'}` : 'missing',
        tone: there ? 'good' : required ? 'bad' : 'quiet',
        says: !there ? '' : kind === 'changes' ? changesLine(drill) : line(name === undefined ? [] : shown[name].facts, last.get(kind)),
        file,
      };
    });
}

function changesLine({ changes: { undocumented, allowed, elsewhere } }: Drill): string {
  return `${undocumented} undocumented on the recovery path · ${allowed} by expected actors · ${elsewhere} elsewhere`;
}

function line(facts: readonly string[], data: unknown): string {
  const parts: string[] = [];
  for (const path of facts) {
    const value = path.split('.').reduce(at, data);
    if (typeof value === 'string' || typeof value === 'number') parts.push(`${words(path)} ${path === 'digest' ? `${String(value).slice(0, 12)}…` : value}`);
  }
  for (const { list, noun, good, word } of counted) {
    const items = at(data, list);
    if (!Array.isArray(items) || (items.length === 0 && list !== 'left')) continue;
    parts.push(list === 'left' ? (items.length === 0 ? 'nothing left' : `${items.length} ${noun}`) : `${items.filter(good).length} of ${items.length} ${noun} ${word}`);
  }
  return parts.join(' · ');
}

function words(path: string): string {
  return path.replaceAll('.', ' ').replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`).replace(/\blsn\b/, 'LSN');
}

function at(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined;
}

/** A claim holds only for these: where the backup came from, where it went, and which route was switched. */
export function scopeOfClaim(plan: Plan, events: readonly DrillEvent[]): Fact[] {
  const { environment } = plan.binding;
  const used = (kind: EvidenceKind, key: string) => {
    const values = events.map((event) => (event.type === 'evidence.recorded' && event.data.kind === kind ? at(event.data.data, key) : undefined));
    return [...new Set(values.filter((value) => typeof value === 'string'))];
  };
  const provided = (name: string) => {
    const connection = Object.hasOwn(environment.connections, name) ? environment.connections[name] : undefined;
    return connection === undefined ? name : `${name} (${connection.provision}, role ${connection.role})`;
  };
  const switched = events.flatMap((event) => (event.type === 'endpoint.switched' ? [`${event.data.endpoint}: ${event.data.from ?? 'nowhere'} → ${event.data.to}`] : []));
  const or = (values: readonly string[], none: string) => (values.length === 0 ? none : values.join(', '));
  return [
    { label: 'Backup location', value: or([...used('backup', 'repository').map(provided), ...used('volume-snapshot', 'snapshot')], 'none recorded') },
    { label: 'Restore path', value: or([...used('restore-target', 'connection').map((name) => `restored into ${provided(name)}`), ...used('volume-swap', 'claim').map((claim) => `swapped into ${claim}`)], 'none recorded') },
    { label: 'Route switched', value: or(switched, 'none: no endpoint was switched') },
    { label: 'Connections', value: or(Object.keys(environment.connections).map(provided), 'none') },
  ];
}
