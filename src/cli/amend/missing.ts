import type { RunbookStep } from '../../engine/documents.js';
import type { DrillEvent, EventDataOf } from '../../engine/events.js';
import { flattenSteps, type PlanBinding } from '../../engine/plan-document.js';

/** A step that the runbook lacks, and after which of its steps somebody did it. */
export interface MissingStep {
  readonly step: Omit<RunbookStep, 'id'>;
  /** What its id begins with. */
  readonly name: string;
  /** null: before all others. */
  readonly after: string | null;
}

type Observed = EventDataOf<'watch.observed'>;

interface Act {
  readonly at: number;
  readonly name: string;
  readonly step: Omit<RunbookStep, 'id' | 'phase'>;
}

/** Consequences of something that is listed by itself: a reload of a changed setting, a table whose counters rose by an INSERT. */
const consequences = /^(reloaded|setting changed|configuration file changed|rows written|SELECT pg_reload_conf\(\)|created|dropped|columns changed)$/;

/** How the server's own view of a setting is told: 8192 for 8MB. */
const inUnits = 'setting changed';

/** What was done by hand, as steps: statements whose text says all become postgres.sql, what only a person can tell `manual`. Pure. */
export function missingSteps(binding: PlanBinding, events: readonly DrillEvent[]): MissingStep[] {
  return actsOf(binding, events)
    .toSorted((a, b) => a.at - b.at)
    .map(({ at, name, step }) => {
      const after = lastStarted(binding, events, at);
      return { name, after: after?.id ?? null, step: { phase: after?.phase === undefined || after.phase === 'cleanup' ? 'restore' : after.phase, ...step } };
    });
}

function actsOf({ environment }: PlanBinding, events: readonly DrillEvent[]): Act[] {
  const acts: Act[] = [];
  for (const event of events) {
    if (event.type === 'note.manual') acts.push({ at: Date.parse(event.at), name: 'by-hand', step: { title: 'Done by hand in an earlier drill', uses: 'manual', with: { instructions: event.data.text, changes: [] } } });
  }
  const observed = events.flatMap((event) => (event.type === 'watch.observed' && !event.data.ours && event.data.allowedBy === null && event.data.scope === 'recovery-path' ? [event] : []));
  const place = ({ object }: Observed) => {
    const [, connection = '', rest = object] = /^([^:]+): (.*)$/s.exec(object) ?? [];
    return { connection, object: rest, kind: environment.connections[connection]?.kind };
  };
  const byObject = new Map<string, { at: number; all: Observed[] }>();
  for (const { at, data } of observed) {
    const entry = byObject.get(data.object) ?? { at: Infinity, all: [] };
    byObject.set(data.object, { at: Math.min(entry.at, Date.parse(data.happened ?? at)), all: [...entry.all, data] });
  }
  const reloaded = observed.some(({ data }) => data.change === 'reloaded');
  let rest = 0;
  for (const { at, all } of byObject.values()) {
    const [first] = all;
    if (first === undefined) continue;
    const { connection, object, kind } = place(first);
    const system = kind === 'postgres' ? `postgres:${connection}` : kind === 'postgres-backups' ? `backups:${connection}` : first.watcher;
    const setting = /^setting ([a-z_][\w.]*)$/.exec(object)?.[1];
    // As somebody wrote it, rather than in the units that the server counts it in.
    const value = all.toSorted((a, b) => Number(a.change === inUnits) - Number(b.change === inUnits)).map(({ after }) => after).find((after) => typeof after === 'string' && !after.startsWith('sha256:'));
    if (setting !== undefined && typeof value === 'string') {
      const sql = (text: string) => ({ uses: 'postgres.sql', with: { server: connection, sql: text, effect: 'modify' } });
      acts.push({ at, name: `set-${setting.replaceAll(/[._]/g, '-')}`, step: sql(`ALTER SYSTEM SET ${setting} = '${value.replaceAll("'", "''")}'`) });
      if (reloaded) acts.push({ at: at + 0.5, name: `reload-${connection}`, step: sql('SELECT pg_reload_conf()') });
      continue;
    }
    const main = all.filter(({ change }) => !consequences.test(change));
    // What only followed from something else is covered by the step for that.
    if (main.length === 0 && (byObject.size > 1 || acts.length > 0) && object !== 'server') {
      rest += 1;
      continue;
    }
    if (object === 'server' && main.length === 0) continue;
    acts.push({ at, name: 'by-hand', step: byHand(connection, object, system, main.length > 0 ? main : all) });
  }
  // Nothing but consequences: somebody did something that nothing names.
  if (acts.length === 0 && rest > 0) for (const { at, all } of byObject.values()) for (const data of all.slice(0, 1)) acts.push({ at, name: 'by-hand', step: byHand(place(data).connection, place(data).object, `postgres:${place(data).connection}`, all) });
  return acts;
}

function byHand(connection: string, object: string, system: string, all: readonly Observed[]): Act['step'] {
  const said = [...new Set(all.map(({ change, actor }) => `${change}${actor === null ? '' : ` by ${actor}`}`))].join('; ');
  const where = connection === '' ? object : `${object} of ${connection}`;
  return {
    title: 'Done by hand in an earlier drill',
    uses: 'manual',
    with: { instructions: `Do what was done by hand in an earlier drill: ${where}: ${said}. Write down here how, or replace this step by one that does it (exec, postgres.sql).`, changes: [{ system, object }] },
  };
}

function lastStarted({ steps }: PlanBinding, events: readonly DrillEvent[], at: number): { readonly id: string; readonly phase: RunbookStep['phase'] | 'cleanup' } | undefined {
  const planned = new Map(flattenSteps(steps).map(({ step }) => [step.id, step]));
  const started = events.filter((event) => event.type === 'step.started' && Date.parse(event.at) <= at).map((event) => planned.get(event.step ?? ''));
  return started.findLast((step) => step !== undefined);
}
