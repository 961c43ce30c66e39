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

/** The one state of plain Terraform, compared with what it was the last time: the run knows which serials its own commands wrote. */
export class StateWatch {
  #seen: Seen | null = null;

  constructor(private readonly connection: string, private readonly ctx: WatchContext) {}

  async begin(): Promise<void> {
    this.#seen = await this.#read();
  }

  /** How many states were compared. */
  async compare(since: string): Promise<number> {
    const [was, now] = [this.#seen, await this.#read()];
    const change = unexplained(was, now, this.ctx.ports.infrastructure.written(this.connection));
    this.#seen = now;
    if (change !== undefined) this.ctx.observed({ system: `infrastructure:${this.connection}`, object: 'state', actor: null, change, before: factsOf(was), after: factsOf(now), proof: 'another', since, scope: 'recovery-path' });
    return 1;
  }

  #read(): Promise<Seen | null> {
    return this.ctx.ports.infrastructure.state(this.connection, this.ctx.signal);
  }
}

function factsOf(seen: Seen | null): { readonly lineage: string; readonly serial: number } | null {
  return seen === null ? null : { lineage: seen.lineage, serial: seen.serial };
}
