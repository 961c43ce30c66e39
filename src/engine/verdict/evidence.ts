import type { Drill } from '../drill.js';
import { evidenceKindNames } from '../kinds/index.js';
import { journalRecord } from '../kinds/journal.js';
import type { Facts } from './facts.js';
import type { Finding } from './reasons.js';

/** evidence-missing, evidence-write-failed, residue and backup-made-by-drill. */
export function evidenceFindings(facts: Facts): Finding[] {
  const { binding } = facts.plan;
  const found: Finding[] = [];
  for (const { event } of facts.of('evidence.write-failed')) found.push({ code: 'evidence-write-failed', detail: `${event.data.file}: ${event.data.message}` });
  for (const kind of evidenceTable(facts)) if (kind.required && kind.records === 0) found.push({ code: 'evidence-missing', detail: `no step delivered evidence of kind ${kind.kind}` });
  for (const kind of new Set(facts.malformed.map((name) => name.slice(0, 80)))) found.push({ code: 'evidence-missing', detail: `a record of kind ${kind} does not have that kind's form` });
  found.push(...residueFindings(facts));
  if (!binding.environment.sandbox) {
    const restored = new Set(facts.evidence('restore-target').map(({ data }) => data.backup));
    for (const { data, step } of facts.evidence('backup')) {
      if (data.origin === 'drill' && (restored.size === 0 || restored.has(data.name))) found.push({ code: 'backup-made-by-drill', ...(step === undefined ? {} : { step }), detail: `the drill made the backup ${data.name} itself, so the schedule's backups are not proved` });
    }
    for (const { data, step } of facts.evidence('volume-snapshot')) {
      if (data.origin === 'drill') found.push({ code: 'backup-made-by-drill', ...(step === undefined ? {} : { step }), detail: `the drill made the snapshot ${data.snapshot} itself, so the schedule's snapshots are not proved` });
    }
  }
  return found;
}

/** What was left behind: the inventory, and cleanups that were registered and failed or never ran. What --keep left on purpose is none. */
function residueFindings(facts: Facts): Finding[] {
  const found: Finding[] = [];
  const inventories = facts.evidence('residue');
  if (inventories.length === 0) found.push({ code: 'evidence-missing', detail: 'nobody looked for what the drill left behind (residue)' });
  for (const { data } of inventories) for (const { system, object } of data.left) found.push({ code: 'residue', detail: `${system}: ${object}` });
  const ends = new Map<string, { readonly ok: boolean; readonly error?: string | undefined }>();
  for (const { event } of facts.of('cleanup.finished')) ends.set(event.data.id, event.data);
  const registered = new Map(facts.of('cleanup.deferred').map(({ event }) => [event.data.id, event.data.uses]));
  const kept = new Set(facts.of('run.kept').flatMap(({ event }) => event.data.cleanups));
  for (const [id, uses] of registered) if (!ends.has(id) && !kept.has(id)) found.push({ code: 'residue', detail: `the cleanup ${uses} (${id}) was not done` });
  for (const [id, end] of ends) if (!end.ok) found.push({ code: 'residue', detail: `the cleanup ${registered.get(id) ?? ''} (${id}) failed: ${end.error ?? 'no reason given'}` });
  return found;
}

/** Every kind that was recorded or is required: required ones first as the plan lists them, then by name. */
export function evidenceTable(facts: Facts): Drill['evidence'] {
  const { requiredEvidence } = facts.plan.binding;
  const records = new Map<string, number>(evidenceKindNames.map((kind) => [kind, facts.evidence(kind).length]));
  for (const event of facts.events) {
    const kind = journalRecord(event)?.kind;
    if (kind !== undefined) records.set(kind, (records.get(kind) ?? 0) + 1);
  }
  const recorded = [...records].filter(([kind, count]) => count > 0 && !requiredEvidence.includes(kind)).map(([kind]) => kind).sort();
  return [...new Set(requiredEvidence), ...recorded].map((kind) => ({ kind, required: requiredEvidence.includes(kind), records: records.get(kind) ?? 0 }));
}
