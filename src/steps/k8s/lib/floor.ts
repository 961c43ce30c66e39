import type { WatchEvent } from '../../../clients/kubernetes/port.js';
import { readySince, Seen } from './ready.js';

/** Whether the number of ready pods ever fell below `least`, from the events of a watch. */
export class Floor {
  readonly #seen = new Seen();
  #ready: ReadonlyMap<string, string> = new Map();
  #gap: string | undefined;
  #lowest: number | undefined;
  #below: string | undefined;

  /** `unknown`: why nothing can be said for a time before. */
  constructor(
    readonly least: number,
    private unknown?: string,
  ) {}

  get lowest(): number | undefined {
    return this.#lowest;
  }

  /** `at`: when it was seen. */
  take(event: WatchEvent, at: string): void {
    if (event.type === 'gap') this.#gap = event.detail;
    if (!this.#seen.take(event)) return;
    const before = this.#ready;
    this.#ready = new Map(this.#seen.objects.flatMap((pod) => {
      const since = readySince(pod);
      return since === undefined ? [] : [[pod.metadata.uid ?? '', since] as const];
    }));
    if (this.#gap !== undefined) this.#across(before, this.#gap);
    this.#gap = undefined;
    this.#count(this.#ready.size, at);
  }

  /** What was to be watched could not be. */
  blind(why: string): void {
    this.unknown ??= why;
  }

  finding(): { readonly ok: boolean; readonly detail: string } {
    if (this.#below !== undefined) return { ok: false, detail: this.#below };
    if (this.#lowest === undefined) return { ok: false, detail: `not known: ${this.unknown ?? 'no pod was seen'}` };
    return this.unknown === undefined ? { ok: true, detail: `the least was ${this.#lowest}` } : { ok: false, detail: `not known: ${this.unknown}; else the least was ${this.#lowest}` };
  }

  /** In a hole of the watch those stayed ready that are ready after it since the same moment as before it. */
  #across(before: ReadonlyMap<string, string>, gap: string): void {
    const stayed = [...before].filter(([uid, since]) => this.#ready.get(uid) === since).length;
    if (stayed < this.least) this.unknown ??= `${gap}; of ${before.size} pods that were ready before, ${stayed} stayed so`;
  }

  #count(ready: number, at: string): void {
    if (this.#lowest === undefined || ready < this.#lowest) this.#lowest = ready;
    if (ready < this.least) this.#below ??= `${ready} at ${at}`;
  }
}
