import { canonicalJson } from '../../engine/canonical.js';
import { formatDuration } from '../../engine/duration.js';
import type { EvidenceKind, EvidenceOf } from '../../engine/kinds/index.js';
import { flattenSteps } from '../../engine/plan-document.js';
import type { ReportInput } from '../model.js';
import { bytes } from '../model-record.js';

/** Something that was not the same in two drills. */
export interface ChangedFact {
  readonly what: string;
  readonly before: string;
  readonly after: string;
}

const none = '—';

/** What differs between two drills and can explain another recovery time: documents, data, backup, versions, places. */
export function changedFacts(before: ReportInput, after: ReportInput): ChangedFact[] {
  const [first, second] = [factsOf(before), factsOf(after)];
  return [...new Set([...first.keys(), ...second.keys()])].map((what) => ({ what, before: first.get(what) ?? none, after: second.get(what) ?? none })).filter((fact) => fact.before !== fact.after);
}

function factsOf({ drill, plan, events, runbook }: ReportInput): Map<string, string> {
  const { binding } = plan;
  const started = events.find((event) => event.type === 'run.started')?.data;
  const facts = new Map<string, string>();
  const say = (what: string, value: string | number | null | undefined) => facts.set(what, value === null || value === undefined || value === '' ? none : String(value));
  const ms = (value: number | null) => (value === null ? none : formatDuration(value));
  say('verdict', drill.verdict);
  say('reasons', [...new Set(drill.reasons.map(({ code }) => code))].join(', '));
  say('runbook', `${drill.runbook.name} ${drill.runbook.version}`);
  say('runbook sha256', drill.runbook.sha256.slice(0, 12));
  say('runbook commit', binding.runbook.git?.commit?.slice(0, 12));
  say('environment', drill.environment.name);
  say('environment sha256', binding.environment.sha256.slice(0, 12));
  say('Muster', binding.tool);
  say('Node', started?.tool.node);
  say('platform', started?.tool.platform);
  say('host', started?.host);
  say('operator', started?.operator);
  say('machine', started?.machine === undefined ? none : `${started.machine.cpus} x ${started.machine.cpu}, ${bytes(started.machine.memoryBytes)}`);
  say('fault', binding.fault);
  say('RTO objective', ms(binding.objectives.rtoMs));
  say('RPO objective', ms(binding.objectives.rpoMs));
  say('stable for', ms(binding.environment.stableForMs));
  for (const [name, value] of Object.entries(binding.inputs)) say(`input ${name}`, canonicalJson(value));
  for (const [name, { provision, role }] of Object.entries(binding.environment.connections)) say(`connection ${name}`, `${provision}, role ${role}`);
  const backup = lastOf(events, 'backup');
  if (backup !== undefined) {
    say('backup', backup.name);
    say('backup made by', `${backup.provider}, ${backup.origin}`);
    say('backup size', backup.sizeBytes === undefined ? none : bytes(backup.sizeBytes));
    if (drill.fault !== null) say('age of the backup at the fault', formatDuration(Math.max(0, Date.parse(drill.fault.at) - Date.parse(backup.finishedAt))));
    say('server version', backup.serverVersion);
  }
  const restored = lastOf(events, 'wal-end');
  say('data once restored', restored?.dataBytes === undefined ? none : bytes(restored.dataBytes));
  say('version of the copy', restored?.serverVersion);
  const rows = rowsOf(events);
  if (rows !== undefined) say('rows checked', rows);
  say('restore target', lastOf(events, 'restore-target')?.type);
  const placed = new Map(flattenSteps(binding.steps).map(({ step }) => [step.id, `${step.uses} in ${step.phase}, ${canonicalJson(step.with).length > 2 ? `input ${canonicalJson(step.with)}` : 'no input'}`]));
  for (const [id, does] of placed) say(`step ${id}`, does.length > 160 ? `${does.slice(0, 157)}...` : does);
  say('steps', placed.size);
  say('required evidence', (runbook.evidence?.require ?? []).join(', '));
  return facts;
}

function lastOf<K extends EvidenceKind>(events: ReportInput['events'], kind: K): EvidenceOf<K> | undefined {
  const found = events.findLast((event) => event.type === 'evidence.recorded' && event.data.kind === kind);
  // The journal of a verified bundle: what is recorded under a kind holds to its schema.
  return found?.type === 'evidence.recorded' ? (found.data.data as EvidenceOf<K>) : undefined;
}

function rowsOf(events: ReportInput['events']): number | undefined {
  const content = lastOf(events, 'reconciliation');
  const known = content?.tables.flatMap(({ actual }) => (actual === null ? [] : [actual.rows])) ?? [];
  return known.length === 0 ? undefined : known.reduce((sum, rows) => sum + rows, 0);
}
