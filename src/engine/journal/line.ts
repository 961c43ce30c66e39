import { sha256 } from '../canonical.js';
import type { DrillEvent, EventDataOf, EventType } from '../events.js';
import type { Redactor } from '../redact.js';

export const firstPrev = '0'.repeat(64);

/** The journal cannot be written, or was not written by us. Nothing may go on without it. */
export class JournalError extends Error {
  override readonly name = 'JournalError';
}

/** The chain is broken: `seq` is the first line that does not follow from the one before it, `line` its 1-based number. */
export class ChainError extends JournalError {
  constructor(readonly seq: number, readonly line: number, detail: string) {
    super(`the journal breaks at seq ${seq} (line ${line}): ${detail}`);
  }
}

export interface ParsedJournal {
  readonly events: DrillEvent[];
  /** A last line without its LF was left out: the writer died within it. */
  readonly cut: boolean;
  /** sha256 of the last whole line; what the next line must name as `prev`. */
  readonly prev: string;
  /** Bytes of the whole lines. */
  readonly bytes: number;
}

/** Reads a journal and follows its chain. Throws ChainError at the first line that breaks it. */
export function parseJournal(text: string): ParsedJournal {
  const end = text.lastIndexOf('\n') + 1;
  const whole = text.slice(0, end);
  const chain = new Chain();
  const lines = whole === '' ? [] : whole.slice(0, -1).split('\n');
  const events = lines.map((line, index) => chain.follow(line, parsed(line, index + 1)));
  return { events, cut: end < text.length, prev: chain.prev, bytes: Buffer.byteLength(whole) };
}

function parsed(line: string, number: number): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw new ChainError(number, number, 'the line is not JSON');
  }
}

/** Follows the chain of a journal, a line at a time. */
export class Chain {
  #lines = 0;
  #prev = firstPrev;

  /** sha256 of the last line; what the next must name as `prev`. */
  get prev(): string {
    return this.#prev;
  }

  /** The next line, without its LF, and what it says; that is an event of its schema only where the caller sees to it. Throws ChainError. */
  follow(line: string, value: unknown): DrillEvent {
    const number = this.#lines + 1;
    const broken = (detail: string) => new ChainError(number, number, detail);
    if (value === null || typeof value !== 'object' || !('type' in value) || !('data' in value)) throw broken('the line is not an event');
    const event = value as DrillEvent;
    if (event.seq !== number) throw broken(`expected seq ${number}, found ${JSON.stringify(event.seq)}`);
    if (event.prev !== this.#prev) throw broken('prev is not the sha256 of the line before it');
    this.#lines = number;
    this.#prev = sha256(line);
    return event;
  }
}

/** Members that hold text of others or values of the run, where a secret may stand. All else is our own vocabulary. */
const prose = new Set(['error', 'detail', 'message', 'text', 'instructions', 'attestation', 'who', 'before', 'after', 'data', 'change']);
/** Values of the run, numbers among them. */
const values = new Set(['with', 'output']);

/** Data that another process works from (`details`, a cleanup's `with`) may hold no secret: it can be neither shown nor altered. */
export function redactData<T extends EventType>(type: T, data: EventDataOf<T>, redactor: Redactor): EventDataOf<T> {
  const isMachine = (member: string) => member === 'details' || member === 'identity' || (type === 'cleanup.deferred' && member === 'with');
  const redacted = Object.entries(data).map(([member, value]): [string, unknown] => {
    if (isMachine(member)) {
      if (redactor.holdsSecret(value)) throw new JournalError(`${type}: ${member} holds a sensitive value; it must name where the value is to be found, not the value`);
      return [member, value];
    }
    if (values.has(member)) return [member, redactor.value(value)];
    return [member, prose.has(member) ? redactor.prose(value) : value];
  });
  return Object.fromEntries(redacted) as EventDataOf<T>;
}
