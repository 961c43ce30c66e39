import { close, fdatasync, ftruncate, open, write } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { sha256 } from './canonical.js';
import { systemClock } from './clock.js';
import type { Clock } from './define-step.js';
import { messageOf } from './errors.js';
import type { DrillEvent, EventDataOf, EventOf, EventType, SampleEvent } from './events.js';
import { firstPrev, JournalError, parseJournal, redactData, type ParsedJournal } from './journal/line.js';
import type { Redactor } from './redact.js';

export { ChainError, JournalError, parseJournal, type ParsedJournal } from './journal/line.js';

/** What an event belongs to. `parent` is the parallel branch of a step. */
export interface EventPlace {
  readonly step?: string;
  readonly attempt?: number;
  readonly parent?: string;
}

export interface Journal {
  /**
   * Resolves once the line is on disk (fdatasync); concurrent appends share one sync and keep their order.
   * Rejects with JournalError when it cannot be written; from then on every append does.
   */
  append<T extends EventType>(type: T, data: EventDataOf<T>, place?: EventPlace): Promise<EventOf<T>>;
  /**
   * For what announces nothing: flushed with the next append, or within `laterMs`, in order with the others. Throws JournalError
   * when the journal is broken already; a later failure shows in `broken` and in the next append.
   */
  note<T extends EventType>(type: T, data: EventDataOf<T>, place?: EventPlace): EventOf<T>;
  /** Flushed within `laterMs`, in order with the others. A failure shows in `broken` and in the next append. */
  sample(event: SampleEvent): void;
  /** Aborted with a JournalError once the journal cannot be written. A run must not go on then. */
  readonly broken: AbortSignal;
  /** What the journal held when it was opened: empty for a new one. A torn last line has been cut from the file. */
  readonly found: Pick<ParsedJournal, 'events' | 'cut'>;
  /** Flushes what is left. Rejects with JournalError if that fails. */
  close(): Promise<void>;
}

export interface JournalOptions {
  readonly boot: string;
  readonly redactor: Redactor;
  readonly clock?: Clock;
  /** Gets every event once it is on disk, in order. An error in it ends the journal like a write error. */
  readonly onEvent?: (event: DrillEvent) => void;
}

const laterMs = 100;

/** Reads the journal of a run. Throws ChainError where the chain breaks. */
export async function readJournal(path: string): Promise<ParsedJournal> {
  return parseJournal(await readFile(path, 'utf8'));
}

/**
 * Opens or makes a journal for one writer. An existing one is followed to its end (ChainError), a torn last line is
 * cut off (`found.cut`, which the caller records as `run.resumed`), and numbers and chain go on from there.
 */
export async function openJournal(path: string, options: JournalOptions): Promise<Journal> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  const found = text === undefined ? { events: [], cut: false, prev: firstPrev, bytes: 0 } : parseJournal(text);
  const fd = await promisify(open)(path, 'a', 0o600);
  if (found.cut) await promisify(ftruncate)(fd, found.bytes);
  if (text === undefined) await syncFolder(dirname(path));
  return new FileJournal(path, fd, found, options);
}

interface Waiter {
  readonly event: DrillEvent;
  readonly resolve?: () => void;
  readonly reject?: (error: JournalError) => void;
}

class FileJournal implements Journal {
  readonly found: Journal['found'];
  readonly #broken = new AbortController();
  readonly broken = this.#broken.signal;
  readonly #clock: Clock;
  #seq: number;
  #prev: string;
  #bytes: number;
  #text = '';
  #waiters: Waiter[] = [];
  #flushing: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(private readonly path: string, private readonly fd: number, found: ParsedJournal, private readonly options: JournalOptions) {
    this.found = found;
    this.#seq = found.events.length;
    this.#prev = found.prev;
    this.#bytes = found.bytes;
    this.#clock = options.clock ?? systemClock();
  }

  append<T extends EventType>(type: T, data: EventDataOf<T>, place: EventPlace = {}): Promise<EventOf<T>> {
    return new Promise((resolve, reject) => {
      const event = this.#line(type, data, place);
      this.#waiters.push({ event, resolve: () => resolve(event), reject });
      this.#start();
    });
  }

  note<T extends EventType>(type: T, data: EventDataOf<T>, place: EventPlace = {}): EventOf<T> {
    const event = this.#line(type, data, place);
    this.#waiters.push({ event });
    this.#timer ??= setTimeout(() => this.#start(), laterMs);
    return event;
  }

  sample(sample: SampleEvent): void {
    if (!this.#closed && !this.broken.aborted) this.note(sample.type, sample.data);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#start();
    this.#closed = true;
    while (this.#flushing !== undefined) await this.#flushing;
    await promisify(close)(this.fd);
    if (this.broken.aborted) throw this.broken.reason;
  }

  /** Numbers and chains one line. Throws JournalError when nothing can be written any more. */
  #line<T extends EventType>(type: T, data: EventDataOf<T>, place: EventPlace): EventOf<T> {
    if (this.broken.aborted) throw this.broken.reason;
    if (this.#closed) throw new JournalError(`the journal ${this.path} is closed`);
    const redacted = redactData(type, data, this.options.redactor);
    const { at, mono } = this.#clock.now();
    const event = { seq: this.#seq + 1, at, mono, boot: this.options.boot, ...place, prev: this.#prev, type, data: redacted } as unknown as EventOf<T>;
    const line = JSON.stringify(event);
    this.#seq += 1;
    this.#prev = sha256(line);
    this.#text += `${line}\n`;
    return event;
  }

  #start(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#flushing ??= this.#flush();
  }

  /** Writes groups until nothing is left; what comes in during one group's sync makes the next. */
  async #flush(): Promise<void> {
    // Lets appends of the same turn into the first group.
    await Promise.resolve();
    while (this.#waiters.length > 0) {
      const waiters = this.#waiters;
      const bytes = Buffer.from(this.#text, 'utf8');
      this.#waiters = [];
      this.#text = '';
      try {
        if (this.broken.aborted) throw this.broken.reason;
        await this.#write(bytes);
        for (const { event, resolve } of waiters) {
          this.options.onEvent?.(event);
          resolve?.();
        }
      } catch (error) {
        const failure = error instanceof JournalError ? error : new JournalError(`cannot write the journal ${this.path}: ${messageOf(error)}`, { cause: error });
        if (!this.broken.aborted) this.#broken.abort(failure);
        for (const { reject } of waiters) reject?.(failure);
      }
    }
    // In the same turn as the last look at the waiters: whoever comes later starts another flush.
    this.#flushing = undefined;
  }

  async #write(bytes: Buffer): Promise<void> {
    try {
      for (let done = 0; done < bytes.length; ) done += await writeSome(this.fd, bytes, done);
      await sync(this.fd);
    } catch (error) {
      // Back to the last whole group, so that the file ends in a whole line; should that fail too, the reader cuts it.
      await promisify(ftruncate)(this.fd, this.#bytes).catch(() => {});
      throw error;
    }
    this.#bytes += bytes.length;
  }
}

const sync = promisify(fdatasync);

function writeSome(fd: number, bytes: Buffer, from: number): Promise<number> {
  return new Promise((resolve, reject) => write(fd, bytes, from, bytes.length - from, null, (error, written) => (error === null ? resolve(written) : reject(error))));
}

/** So that the new file's name survives a crash of the machine. */
async function syncFolder(folder: string): Promise<void> {
  const fd = await promisify(open)(folder, 'r');
  try {
    await sync(fd);
  } finally {
    await promisify(close)(fd);
  }
}
