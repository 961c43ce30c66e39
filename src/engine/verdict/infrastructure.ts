import type { Drill } from '../drill.js';
import { flattenSteps } from '../plan-document.js';
import { criticalPath, type UnitFact } from '../units.js';
import type { Facts, Line, Recorded } from './facts.js';
import type { Fault } from './fault.js';
import type { StoreResult } from './store.js';
import { names, type Finding } from './reasons.js';
import { parseUtc, toMs } from './time.js';
import type { Moment } from './timeline.js';

/** Was something built from code, and then held against it? */
export function isRebuild(facts: Facts): boolean {
  return facts.evidence('infrastructure-code').length > 0 && facts.evidence('drift').length > 0;
}

/**
 * undocumented-change for whatever is not as the code says; evidence-missing where that could not be told; step-failed for units
 * that came through only by a retry or because their error was ignored, unless the runbook tolerates that by name.
 */
export function infrastructureFindings(facts: Facts): Finding[] {
  return [...driftFindings(facts), ...unitFindings(facts)];
}

function driftFindings(facts: Facts): Finding[] {
  return facts.evidence('drift').flatMap(({ data, step }) =>
    data.units.flatMap(({ unit, exitCode, differences, outputs, detail }): Finding[] => {
      const at = step === undefined ? {} : { step };
      const where = `infrastructure:${data.connection}: ${unit}`;
      if (exitCode === 0) return [];
      if (exitCode === 1) return [{ code: 'evidence-missing', ...at, detail: `${where}: whether it is as its code says could not be told${detail === undefined ? '' : `: ${detail}`}` }];
      const changed = differences.map(({ address, actions, attributes }) => `${address} (${actions.join(' and ')}${attributes.length === 0 ? '' : ` ${names(attributes)}`})`);
      const outside = outputs.map((name) => `output ${name}`);
      const all = [...changed, ...outside];
      return (all.length === 0 ? ['something'] : all).map((what) => ({ code: 'undocumented-change', ...at, detail: `${where}: ${what} is not as its code says` }));
    }),
  );
}

function unitFindings(facts: Facts): Finding[] {
  const { binding } = facts.plan;
  const steps = new Map([...flattenSteps(binding.steps).map(({ step }) => step), ...binding.cleanup].map((step) => [step.id, step]));
  return facts.of('unit.finished').flatMap(({ event }): Finding[] => {
    const { unit, result, reason, cause } = event.data;
    if (result !== 'succeeded' || reason === null || isTolerated(steps.get(event.step ?? '')?.with['tolerate'], unit, reason)) return [];
    return [{ code: 'step-failed', ...(event.step === undefined ? {} : { step: event.step }), detail: `unit ${unit} is not clean: ${reason}${cause === null ? '' : ` (${cause})`}` }];
  });
}

/** `tolerate: [{ unit, reason }]` as a runbook's author writes it. */
export function isTolerated(tolerate: unknown, unit: string, reason: string): boolean {
  return Array.isArray(tolerate) && tolerate.some((each: unknown) => typeof each === 'object' && each !== null && 'unit' in each && 'reason' in each && each.unit === unit && each.reason === reason);
}

/**
 * Loss with basis `code`: nothing of what the code says is missing. Shown by the same commit, clean, from first to last; a state
 * with lineage and serial for every unit; and no drift in any unit after the last change. Else not measured, with the reason.
 */
export function codeStores(facts: Facts, fault: Fault | null, noFault: string | null): StoreResult[] {
  const connections = [...new Set(facts.evidence('infrastructure-code').map(({ data }) => data.connection))];
  return connections.map((connection) => {
    const why = fault === null ? (noFault ?? 'no fault was sent') : whyNotAsCode(facts, connection);
    return {
      store: {
        store: connection, probe: '', basis: 'code', valueMs: why === null ? 0 : null, acknowledgedBeforeFault: null, recovered: null, lost: null, firstLost: null,
        lastRecovered: null, lastRecoveredAckAt: null, discarded: null, unacknowledgedPresent: null, whyNotMeasured: why,
      },
      findings: [],
      atLeast: null,
    };
  });
}

function whyNotAsCode(facts: Facts, connection: string): string | null {
  const of = <K extends 'infrastructure-code' | 'infrastructure-state' | 'drift'>(kind: K) => facts.evidence(kind).filter(({ data }) => data.connection === connection);
  const codes = of('infrastructure-code');
  const code = codes.at(-1)?.data;
  if (code === undefined) return 'no evidence says which code it was built from';
  const drifts = of('drift');
  const first = codes[0]?.data;
  if (code.commit === null) return 'its code is in no repository';
  if (codes.some(({ data }) => data.differing.length > 0)) return `its code is not what was committed: ${names(codes.flatMap(({ data }) => data.differing))}`;
  if (first?.commit !== code.commit || first.digest !== code.digest) return 'its code changed during the drill';
  const units = code.units.map(({ unit }) => unit);
  const states = of('infrastructure-state').findLast(({ data }) => data.when === 'applied')?.data.units ?? [];
  const stateless = units.filter((unit) => !states.some((state) => state.unit === unit && state.lineage !== null && state.serial !== null));
  if (stateless.length > 0) return `no state with lineage and serial was read of ${names(stateless)}`;
  const drift = drifts.at(-1);
  if (drift === undefined || drift.index < lastBuilt(facts, drifts)) return 'nothing was held against its code after the last change';
  const open = units.filter((unit) => !drift.data.units.some((checked) => checked.unit === unit && checked.exitCode === 0));
  return open.length > 0 ? `not as its code says, or not told: ${names(open)}` : null;
}

/** Where the journal says last that a unit was built; taking everything down again comes after the last drift. */
function lastBuilt(facts: Facts, drifts: readonly Recorded<'drift'>[]): number {
  const { binding } = facts.plan;
  const building = new Set(flattenSteps(binding.steps).flatMap(({ step }) => (step.changes.some(({ system }) => system.startsWith('infrastructure:')) && !step.uses.endsWith('.destroy') ? [step.id] : [])));
  const last = drifts.at(-1)?.index ?? -1;
  return facts.of('unit.finished').findLast(({ event, index }) => building.has(event.step ?? '') && index > last)?.index ?? -1;
}

export type UnitRow = NonNullable<Drill['units']>[number];

/** Every unit that the steps worked on, with the chain that made each step take as long as it did. `startMs` counts from run.started. */
export function unitRows(facts: Facts, began: Moment | null): UnitRow[] {
  const lines = facts.of('unit.finished');
  const bySteps = new Map<string, Line<'unit.finished'>[]>();
  for (const line of lines) {
    const step = line.event.step ?? '';
    bySteps.set(step, [...(bySteps.get(step) ?? []), line]);
  }
  return [...bySteps].flatMap(([step, own]) => {
    const critical = new Set(criticalPath(own.map(({ event }) => event.data)));
    return own.map((line): UnitRow => {
      const { unit, result, reason, after } = line.event.data;
      const span = spanOf(facts, line, line.event.data);
      return { step, unit, startMs: began === null || span === null ? null : toMs(span.start - began.position), durationMs: span === null ? null : toMs(span.end - span.start), result, reason, after, critical: critical.has(unit) };
    });
  });
}

/** On the run's axis: the report's times are this machine's UTC, held against that of the line that says so. */
function spanOf(facts: Facts, line: Line<'unit.finished'>, { started, ended }: UnitFact): { start: bigint; end: bigint } | null {
  const [written, from, to] = [facts.moment(line), parseUtc(started), parseUtc(ended)];
  if (written === null || from === null || to === null || to < from) return null;
  return { start: written.position - (written.utc - from), end: written.position - (written.utc - to) };
}
