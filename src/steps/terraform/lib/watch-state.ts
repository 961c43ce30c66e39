import type { StateFacts } from '../../../clients/terraform/state.js';
import type { WatchContext } from '../../../engine/define-watcher.js';

/** Serials that the run itself wrote: after `from`, up to `to`; null: it is not known how far, or still under way. */
export interface OwnSerials {
  readonly from: number;
  readonly to: number | null;
}

/** One state, as it was and as it is; null where there is none. */
export interface Seen {
  readonly lineage: string;
  readonly serial: number;
  readonly digest: string;
}

/** What happened to a state that the run's own commands do not account for; undefined where nothing did. */
export function unexplained(was: Seen | null, now: Seen | null, own: readonly OwnSerials[]): string | undefined {
  if (now === null) return was === null ? undefined : `removed: serial ${was.serial} of lineage ${was.lineage} is gone`;
  if (was !== null && was.lineage !== now.lineage) return `replaced by a state of another lineage: ${was.lineage}, now ${now.lineage}`;
  const from = was?.serial ?? -1;
  if (now.serial < from) return `put back: serial ${from}, now ${now.serial}`;
  if (now.serial === from) return was !== null && was.digest !== now.digest ? `changed under the same serial ${from}` : undefined;
  const foreign = uncovered(from, now.serial, own);
  return foreign === undefined ? undefined : `written by somebody else: serial ${foreign} is not of this run`;
}

/** The first serial in (from, to] that is nobody's of ours. */
function uncovered(from: number, to: number, own: readonly OwnSerials[]): number | undefined {
  for (let serial = from + 1; serial <= to; serial += 1) if (!own.some((each) => serial > each.from && (each.to === null || serial <= each.to))) return serial;
  return undefined;
}

/** Where states are read, and what is known of who wrote them. */
export interface StateSource {
  readonly connection: string;
  /** By unit; `.` for plain Terraform. */
  read(): Promise<ReadonlyMap<string, StateFacts | null>>;
  /** undefined: only the steps at work can tell. */
  own(unit: string): readonly OwnSerials[] | undefined;
}

/** Compares states with what they were the last time. */
export class StateWatch {
  #seen: ReadonlyMap<string, Seen | null> = new Map();

  constructor(private readonly source: StateSource, private readonly ctx: WatchContext) {}

  async begin(): Promise<void> {
    this.#seen = await this.source.read();
  }

  /** How many states were compared. */
  async compare(since: string): Promise<number> {
    const now = await this.source.read();
    for (const unit of new Set([...this.#seen.keys(), ...now.keys()])) {
      const own = this.source.own(unit);
      const [was, is] = [this.#seen.get(unit) ?? null, now.get(unit) ?? null];
      const change = unexplained(was, is, own ?? []);
      if (change === undefined) continue;
      // Without a list of our own serials, a step that declares to change this infrastructure explains what it was at work for.
      const told = own === undefined && change.startsWith('written by somebody else') ? `serial ${was?.serial ?? 'none'}, now ${is?.serial ?? 'none'}` : change;
      this.ctx.observed({ system: `infrastructure:${this.source.connection}`, object: unit === '.' ? 'state' : `state ${unit}`, actor: null, change: told, before: factsOf(was), after: factsOf(is), proof: own === undefined ? 'none' : 'another', since, scope: 'recovery-path' });
    }
    this.#seen = now;
    return now.size;
  }
}

function factsOf(seen: Seen | null): { readonly lineage: string; readonly serial: number } | null {
  return seen === null ? null : { lineage: seen.lineage, serial: seen.serial };
}
