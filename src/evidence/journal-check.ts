import { isUtf8 } from 'node:buffer';
import { messageOf } from '../engine/errors.js';
import type { DrillEvent } from '../engine/events.js';
import { Chain } from '../engine/journal/line.js';
import { SamplePacker } from '../engine/journal/packed.js';
import { mismatch, parseJson } from './parse.js';
import type { Defect } from './reader.js';

export const journalFile = 'data/events.jsonl';

const MiB = 1024 * 1024;
/** What one line records becomes a file of evidence, which may be no larger. */
const maxLine = 32 * MiB;
const LF = 0x0a;

/**
 * Checks a journal while it is read, so that it never stands in memory: UTF-8, JSON and its form, the chain, and every event
 * against its schema. What is kept are the events, samples of probes as a few numbers each.
 */
export class JournalCheck {
  readonly #chain = new Chain();
  readonly #packer = new SamplePacker();
  #events: DrillEvent[] = [];
  #rest: Buffer[] = [];
  #restBytes = 0;
  /** Of the form of the file: nothing after it is looked at. */
  #broken: Defect | undefined;
  /** The first event that is none by its schema or in its form: what comes after is held against the chain only. */
  #malformed: Defect | undefined;

  /** The next bytes of the file; they may be written over afterwards. */
  push(chunk: Buffer): void {
    if (this.#broken !== undefined) return;
    const end = chunk.lastIndexOf(LF) + 1;
    // The end of a line that began in an earlier chunk, and all lines that are whole.
    if (end > 0) {
      this.#lines(this.#rest.length === 0 ? chunk.subarray(0, end) : Buffer.concat([...this.#rest, chunk.subarray(0, end)]));
      [this.#rest, this.#restBytes] = [[], 0];
    }
    if (end === chunk.length || this.#broken !== undefined) return;
    this.#rest.push(Buffer.from(chunk.subarray(end)));
    this.#restBytes += chunk.length - end;
    if (this.#restBytes > maxLine) this.#end({ code: 'too-large', file: journalFile, detail: `a line is longer than ${maxLine / MiB} MiB` });
  }

  /** What the journal holds; undefined where nothing can be derived from it. */
  finish(defects: Defect[]): DrillEvent[] | undefined {
    const torn = this.#rest.length > 0;
    if (torn && this.#broken === undefined) this.#tail(Buffer.concat(this.#rest));
    const found = this.#broken ?? this.#malformed;
    if (found !== undefined) {
      defects.push(found);
      return undefined;
    }
    const events = this.#events;
    const say = (code: Defect['code'], detail: string) => defects.push({ code, file: journalFile, detail });
    if (torn) say('journal-incomplete', 'the last line has no line feed');
    if (events[0]?.type !== 'run.started') say('journal-incomplete', 'the first event is not run.started');
    if (events.filter(({ type }) => type === 'run.started').length > 1) say('journal-broken', 'run.started stands in it more than once');
    if (events.at(-1)?.type !== 'run.finished') say('journal-incomplete', 'the last event is not run.finished');
    return events.length === 0 ? undefined : events;
  }

  /** What stands after the last line feed. */
  #tail(bytes: Buffer): void {
    if (!isUtf8(bytes)) this.#end(notUtf8);
    else this.#attempt(() => parseJson(bytes.toString()));
  }

  #attempt(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#end({ code: 'journal-broken', file: journalFile, detail: messageOf(error) });
    }
  }

  #end(defect: Defect): void {
    this.#broken = defect;
    [this.#events, this.#rest] = [[], []];
  }

  /** Whole lines: no character of UTF-8 goes over a line feed. */
  #lines(bytes: Buffer): void {
    if (!isUtf8(bytes)) {
      this.#end(notUtf8);
      return;
    }
    this.#attempt(() => {
      for (let from = 0; from < bytes.length; ) {
        const end = bytes.indexOf(LF, from);
        this.#line(bytes.toString('utf8', from, end));
        from = end + 1;
      }
    });
  }

  #line(line: string): void {
    const event = this.#chain.follow(line, parseJson(line));
    if (this.#malformed !== undefined) return;
    const problem = mismatch('event', event);
    // The one form that the writer has: a member that stands there twice reads differently from tool to tool.
    const odd = problem === undefined && JSON.stringify(event) !== line;
    if (problem === undefined && !odd) {
      this.#events.push(this.#packer.pack(event));
      return;
    }
    this.#malformed = odd
      ? { code: 'not-canonical', file: journalFile, detail: `seq ${event.seq}: not in the form that Muster writes` }
      : { code: 'schema', file: journalFile, detail: `seq ${event.seq}: ${problem}` };
    this.#events = [];
  }
}

const notUtf8: Defect = { code: 'not-utf8', file: journalFile, detail: 'the file is not valid UTF-8' };
