import type { Instant } from '../define-step.js';
import type { DrillEvent, EventDataOf, EventOf, EventType } from '../events.js';

/**
 * Samples of probes are the mass of a journal. This keeps them as rows of numbers, at a quarter of the memory. What it
 * gives for an event reads as that event does, member by member; JSON.stringify says the same of both.
 */
export class SamplePacker {
  #block = new Block();
  #rows = 0;
  /** What samples have in common stands once: a probe's samples differ in their times only. */
  readonly #same = new Map<string, unknown>();

  /** For an event that holds to its schema. One that is no sample, or that no row can hold, comes back as it is. */
  pack(event: DrillEvent): DrillEvent {
    if (event.type === 'probe.sample') {
      const { sent, done, ...same } = event.data;
      return this.#row(event, undefined, sent, done) ? new PackedSample(this.#block, this.#rows++, this.#once(event, same)) : event;
    }
    if (event.type === 'ledger.row') {
      const { n, sent, acked, ...same } = event.data;
      return this.#row(event, n, sent, acked) ? new PackedRow(this.#block, this.#rows++, this.#once(event, same)) : event;
    }
    return event;
  }

  #once<T>(event: DrillEvent, data: T): Same<T> {
    const key = JSON.stringify([event.type, event.boot, data]);
    const known = this.#same.get(key);
    if (known !== undefined) return known as Same<T>;
    const same = { boot: event.boot, data };
    this.#same.set(key, same);
    return same;
  }

  #row(event: DrillEvent, n: number | undefined, sent: Instant, done: Instant | null): boolean {
    if (event.step !== undefined || event.attempt !== undefined || event.parent !== undefined) return false;
    if (this.#rows === blockRows) {
      this.#block = new Block();
      this.#rows = 0;
    }
    return this.#block.write(this.#rows, event, n, sent, done);
  }
}

const blockRows = 4096;
/** seq, n, and time and clock of the line and of two instants; then `prev`. */
const slots = 8;
const slot = { seq: 0, n: 1, line: 2, sent: 4, done: 6 } as const;

class Block {
  readonly #numbers = new Float64Array(blockRows * slots);
  readonly #clocks = new BigUint64Array(this.#numbers.buffer);
  readonly #digests = Buffer.alloc(blockRows * 32);

  /** False where a member cannot be said again exactly as it was: then nothing is kept. */
  write(row: number, event: DrillEvent, n: number | undefined, sent: Instant, done: Instant | null): boolean {
    const to = row * slots;
    this.#numbers[to + slot.seq] = event.seq;
    this.#numbers[to + slot.n] = n ?? 0;
    if (done === null) this.#numbers[to + slot.done] = Number.NaN;
    else if (!this.#keep(to + slot.done, done)) return false;
    this.#digests.write(event.prev, row * 32, 32, 'hex');
    return this.#keep(to + slot.line, event) && this.#keep(to + slot.sent, sent) && this.prev(row) === event.prev;
  }

  #keep(to: number, { at, mono }: Instant): boolean {
    const ms = Date.parse(at);
    if (!Number.isFinite(ms) || new Date(ms).toISOString() !== at || !/^(?:0|[1-9]\d{0,18})$/.test(mono)) return false;
    this.#numbers[to] = ms;
    this.#clocks[to + 1] = BigInt(mono);
    return true;
  }

  number(row: number, at: number): number {
    return this.#numbers[row * slots + at] ?? 0;
  }

  clock(row: number, at: number): bigint {
    return this.#clocks[row * slots + at + 1] ?? 0n;
  }

  prev(row: number): string {
    return this.#digests.toString('hex', row * 32, row * 32 + 32);
  }
}

interface Same<T> {
  readonly boot: string;
  readonly data: T;
}

type SampleSame = Omit<EventDataOf<'probe.sample'>, 'sent' | 'done'>;
type RowSame = Omit<EventDataOf<'ledger.row'>, 'n' | 'sent' | 'acked'>;

/** Says its numbers without a detour over texts, too. */
export class PackedInstant implements Instant {
  constructor(protected readonly block: Block, protected readonly row: number, private readonly from: number) {}

  get at(): string {
    return new Date(this.block.number(this.row, this.from)).toISOString();
  }

  get mono(): string {
    return String(this.monoNs);
  }

  get monoNs(): bigint {
    return this.block.clock(this.row, this.from);
  }

  get utcMs(): number {
    return this.block.number(this.row, this.from);
  }

  toJSON(): object {
    return { at: this.at, mono: this.mono };
  }
}

/** A line: its own time is an instant as well. */
abstract class Packed<T extends EventType> extends PackedInstant {
  abstract readonly type: T;
  abstract readonly boot: string;
  abstract readonly data: EventDataOf<T>;

  constructor(block: Block, row: number) {
    super(block, row, slot.line);
  }

  get seq(): number {
    return this.block.number(this.row, slot.seq);
  }

  get prev(): string {
    return this.block.prev(this.row);
  }

  override toJSON(): object {
    const { seq, at, mono, boot, prev, type, data } = this;
    return { seq, at, mono, boot, prev, type, data };
  }
}

class PackedSample extends Packed<'probe.sample'> implements EventOf<'probe.sample'> {
  constructor(block: Block, row: number, private readonly same: Same<SampleSame>) {
    super(block, row);
  }

  get type() {
    return 'probe.sample' as const;
  }

  get boot(): string {
    return this.same.boot;
  }

  get data(): EventDataOf<'probe.sample'> {
    return new SampleData(this.block, this.row, this.same.data);
  }
}

class SampleData implements EventDataOf<'probe.sample'> {
  declare readonly error?: string;

  constructor(private readonly block: Block, private readonly row: number, private readonly same: SampleSame) {
    if (same.error !== undefined) this.error = same.error;
  }

  get probe(): string {
    return this.same.probe;
  }

  get endpoint(): string {
    return this.same.endpoint;
  }

  get read(): boolean {
    return this.same.read;
  }

  get write(): boolean {
    return this.same.write;
  }

  get control(): boolean | null {
    return this.same.control;
  }

  get sent(): Instant {
    return new PackedInstant(this.block, this.row, slot.sent);
  }

  get done(): Instant {
    return new PackedInstant(this.block, this.row, slot.done);
  }

  toJSON(): object {
    const { error, ...same } = this.same;
    return { ...same, sent: this.sent, done: this.done, error };
  }
}

class PackedRow extends Packed<'ledger.row'> implements EventOf<'ledger.row'> {
  constructor(block: Block, row: number, private readonly same: Same<RowSame>) {
    super(block, row);
  }

  get type() {
    return 'ledger.row' as const;
  }

  get boot(): string {
    return this.same.boot;
  }

  get data(): EventDataOf<'ledger.row'> {
    return new RowData(this.block, this.row, this.same.data);
  }
}

class RowData implements EventDataOf<'ledger.row'> {
  declare readonly error?: string;

  constructor(private readonly block: Block, private readonly row: number, private readonly same: RowSame) {
    if (same.error !== undefined) this.error = same.error;
  }

  get probe(): string {
    return this.same.probe;
  }

  get store(): string {
    return this.same.store;
  }

  get n(): number {
    return this.block.number(this.row, slot.n);
  }

  get sent(): Instant {
    return new PackedInstant(this.block, this.row, slot.sent);
  }

  get acked(): Instant | null {
    return Number.isNaN(this.block.number(this.row, slot.done)) ? null : new PackedInstant(this.block, this.row, slot.done);
  }

  toJSON(): object {
    const { error, ...same } = this.same;
    return { ...same, n: this.n, sent: this.sent, acked: this.acked, error };
  }
}
