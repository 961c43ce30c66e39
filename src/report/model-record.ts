import type { Runbook } from '../engine/documents.js';
import { formatDuration } from '../engine/duration.js';
import type { DrillEvent, EventOf } from '../engine/events.js';
import type { EvidenceKind, EvidenceOf } from '../engine/kinds/index.js';
import type { Plan } from '../engine/plan-document.js';
import type { RunClock } from './model-clock.js';
import type { Fact, Tone } from './model-types.js';
import { utc } from './visible.js';

/** The systems of the drill beside those of production: how far its figures can be carried over. */
export interface ScaleRow {
  readonly what: string;
  readonly drill: string;
  readonly production: string;
}

/** What became of the data that the drill restored, and of all else that it made. */
export interface Deletion {
  readonly words: string;
  readonly tone: Tone;
  readonly rows: readonly { readonly what: string; readonly where: string; readonly result: string; readonly at: string; readonly tone: Tone }[];
  readonly more: number;
  readonly kept: readonly string[];
}

const unknown = 'not recorded';
const maxCleanups = 200;

export function scaleRows({ binding }: Plan, events: readonly DrillEvent[]): ScaleRow[] {
  const declared = binding.environment.production ?? {};
  const machine = events.find((event) => event.type === 'run.started')?.data.machine;
  const backup = recorded(events, 'backup').at(-1);
  const ends = recorded(events, 'wal-end');
  const production = recorded(events, 'production-fingerprint');
  const each = (values: readonly (string | undefined)[]) => [...new Set(values.filter((value) => value !== undefined))].join('; ');
  const measured = (value: string, fallback: string | undefined) => (value !== '' ? `${value}, measured` : fallback === undefined ? 'neither measured nor declared' : `${fallback}, as the environment declares`);
  const data = [
    ...ends.flatMap(({ connection, dataBytes }) => (dataBytes === undefined ? [] : [`${bytes(dataBytes)} in ${connection} once restored`])),
    ...recorded(events, 'volume').map(({ volume, sizeGiB, type, zone }) => `volume ${volume}: ${sizeGiB} GiB, ${type}, in ${zone}`),
    ...(backup?.sizeBytes === undefined ? [] : [`backup of ${bytes(backup.sizeBytes)}`]),
  ];
  return [
    { what: 'Machine', drill: machine === undefined ? unknown : `${machine.cpus} × ${machine.cpu}, ${bytes(machine.memoryBytes)} of memory: where Muster ran, and with it every server that it starts itself`, production: declared.machine === undefined ? 'not declared' : `${declared.machine}, as the environment declares` },
    { what: 'Data', drill: [...new Set(data)].join('; ') || unknown, production: measured(each(production.map(({ connection, dataBytes }) => (dataBytes === undefined ? undefined : `${bytes(dataBytes)} in ${connection}`))), declared.data) },
    { what: 'Version', drill: each([...ends.map(({ connection, serverVersion }) => (serverVersion === undefined ? undefined : `PostgreSQL ${serverVersion} (${connection})`)), ...(backup === undefined ? [] : [`PostgreSQL ${backup.serverVersion} (backup)`])]) || unknown, production: measured(each(production.map(({ connection, serverVersion }) => (serverVersion === undefined ? undefined : `PostgreSQL ${serverVersion} (${connection})`))), declared.version) },
  ];
}

/** Who ran it and who agreed to what it is held against. */
export function responsibility(runbook: Runbook, started: EventOf<'run.started'> | undefined): Fact[] {
  const { approved } = runbook.objectives;
  const sources = { 'operating-system': 'by the operating system', key: 'by the key that seals the bundle' } as const;
  return [
    { label: 'Operator authenticated', value: started?.data.authenticated === undefined ? 'not recorded' : started.data.authenticated.map(({ by, as }) => `${sources[by]}: ${as}`).join('; '), wide: true },
    { label: 'Objectives agreed by', value: approved === undefined ? 'the runbook names nobody' : `${approved.by}, ${approved.on}${approved.in === undefined ? '' : ` (${approved.in})`}`, wide: true },
  ];
}

export function deletion(events: readonly DrillEvent[], clock: RunClock): Deletion {
  const ends = new Map<string, EventOf<'cleanup.finished'>>();
  for (const event of events) if (event.type === 'cleanup.finished') ends.set(event.data.id, event);
  const kept = events.flatMap((event) => (event.type === 'run.kept' ? [event.data] : []));
  const keptIds = new Set(kept.flatMap(({ cleanups }) => cleanups));
  const residue = recorded(events, 'residue');
  const rows = events.flatMap((event) => {
    if (event.type !== 'cleanup.deferred') return [];
    const { id, uses, with: input } = event.data;
    const end = ends.get(id);
    const [result, tone]: [string, Tone] =
      end?.data.ok === true ? ['removed', 'good'] : keptIds.has(id) ? ['kept on purpose', 'warn'] : end === undefined ? ['not removed', 'bad'] : [`failed: ${end.data.error ?? 'no reason given'}`, 'bad'];
    return [{ what: uses, where: place(input), result, at: end === undefined ? '' : formatDuration(clock.place(end)), tone }];
  });
  const left = residue.flatMap((each) => each.left.map(({ system, object }) => `${system}: ${object}`));
  const gone = rows.every(({ tone }) => tone === 'good');
  const looked = residue.length > 0;
  return {
    words: `${rows.length === 0 ? 'The drill registered nothing to remove.' : gone ? `All ${rows.length} things that the drill had made or started were removed, the restored data with them.` : `${rows.filter(({ tone }) => tone === 'good').length} of ${rows.length} things that the drill had made or started were removed.`} ${!looked ? 'Nobody looked for what was left.' : left.length === 0 ? 'The inventory afterwards found nothing left.' : `The inventory afterwards found ${left.length} left: ${left.join(', ')}.`}`,
    tone: gone && looked && left.length === 0 ? 'good' : left.length > 0 || rows.some(({ tone }) => tone === 'bad') ? 'bad' : 'warn',
    rows: rows.slice(0, maxCleanups),
    more: Math.max(0, rows.length - maxCleanups),
    kept: kept.flatMap(({ things, until }) => things.map(({ system, object }) => `${system}: ${object}, until ${utc(until)}`)),
  };
}

/** Where it was, from the marker of its cleanup: paths, names and ids, in the order of its own words. */
function place(input: Readonly<Record<string, unknown>>): string {
  return Object.entries(input).flatMap(([key, value]) => (typeof value === 'string' || typeof value === 'number' ? [`${key} ${value}`] : Array.isArray(value) && value.every((each) => typeof each === 'string') ? [`${key} ${value.join(', ')}`] : [])).join('; ');
}

function recorded<K extends EvidenceKind>(events: readonly DrillEvent[], kind: K): EvidenceOf<K>[] {
  return events.flatMap((event) => (event.type === 'evidence.recorded' && event.data.kind === kind ? [event.data.data as EvidenceOf<K>] : []));
}

const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

/** `16.8 MiB` */
export function bytes(count: number): string {
  let value = count;
  let unit = 0;
  for (; value >= 1024 && unit < units.length - 1; unit += 1) value /= 1024;
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit] ?? ''}`;
}
