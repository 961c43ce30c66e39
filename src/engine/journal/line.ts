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
  const events: DrillEvent[] = [];
  let prev = firstPrev;
  const lines = whole === '' ? [] : whole.slice(0, -1).split('\n');
  for (const [index, line] of lines.entries()) {
    const event = parseLine(line, index);
    if (event.seq !== index + 1) throw new ChainError(index + 1, index + 1, `expected seq ${index + 1}, found ${JSON.stringify(event.seq)}`);
    if (event.prev !== prev) throw new ChainError(event.seq, index + 1, `prev is not the sha256 of the line before it`);
    events.push(event);
    prev = sha256(line);
  }
  return { events, cut: end < text.length, prev, bytes: Buffer.byteLength(whole) };
}

function parseLine(line: string, index: number): DrillEvent {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw new ChainError(index + 1, index + 1, 'the line is not JSON');
  }
  if (value === null || typeof value !== 'object' || !('type' in value) || !('data' in value)) throw new ChainError(index + 1, index + 1, 'the line is not an event');
  return value as DrillEvent;
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
