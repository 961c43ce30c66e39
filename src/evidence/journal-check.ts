import { isUtf8 } from 'node:buffer';
import { messageOf } from '../engine/errors.js';
import type { DrillEvent } from '../engine/events.js';
import { Chain } from '../engine/journal/line.js';
import { SamplePacker } from '../engine/journal/packed.js';
import { countValues, maxValues, mismatch, parseJson } from './parse.js';
import type { Defect } from './defect.js';

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
  /** The first thing that is wrong: nothing after it is looked at. */
  #broken: Defect | undefined;
  /** In the events that are kept as they are. */
  #values = 0;

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
    if (this.#broken !== undefined) {
      defects.push(this.#broken);
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
      for (let from = 0; from < bytes.length && this.#broken === undefined; ) {
        const end = bytes.indexOf(LF, from);
        this.#line(bytes.toString('utf8', from, end));
        from = end + 1;
      }
    });
  }

  #line(line: string): void {
    const values = countValues(line);
    const event = this.#chain.follow(line, JSON.parse(line));
    const problem = mismatch('event', event);
    if (problem !== undefined) this.#end({ code: 'schema', file: journalFile, detail: `seq ${event.seq}: ${problem}` });
    // The one form that the writer has: a member that stands there twice reads differently from tool to tool.
    else if (JSON.stringify(event) !== line) this.#end({ code: 'not-canonical', file: journalFile, detail: `seq ${event.seq}: not in the form that Muster writes` });
    else this.#keep(event, values);
  }

  #keep(event: DrillEvent, values: number): void {
    const kept = this.#packer.pack(event);
    if (kept === event) this.#values += values;
    if (this.#values > maxValues) this.#end({ code: 'too-large', file: journalFile, detail: `its events hold more than ${maxValues} values` });
    else this.#events.push(kept);
  }
}

const notUtf8: Defect = { code: 'not-utf8', file: journalFile, detail: 'the file is not valid UTF-8' };
