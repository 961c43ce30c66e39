import type { Stats } from 'node:fs';
import { open, stat, type FileHandle } from 'node:fs/promises';
import { messageOf } from '../../engine/errors.js';
import { codeOf } from '../../engine/guard/paths.js';
import { eventOf, unreadable } from './event.js';
import type { AuditReader, AuditSource } from './port.js';

const pieceBytes = 1 << 20;
const newline = 10;

/** The audit log of an API server as it writes it, one event a line. Goes on in the new file when the log is rotated. */
export class AuditFile implements AuditSource {
  readonly name: string;
  readonly delayMs = 15_000;
  #reader: AuditReader | undefined;
  #handle: FileHandle | undefined;
  #at = 0;
  #rest: Buffer = Buffer.alloc(0);
  #reading: Promise<void> = Promise.resolve();

  constructor(private readonly path: string) {
    this.name = `the audit log ${path}`;
  }

  async check(): Promise<string> {
    const handle = await this.#open();
    await handle.close();
    return `${this.name} can be read`;
  }

  async begin(reader: AuditReader): Promise<void> {
    this.#reader = reader;
    this.#handle = await this.#open();
    this.#at = (await this.#handle.stat()).size;
  }

  /** One at a time. */
  read(): Promise<void> {
    this.#reading = this.#reading.then(() => this.#read()).catch((error: unknown) => this.#reader?.lost(`${this.name} could not be read: ${messageOf(error)}`));
    return this.#reading;
  }

  async end(): Promise<void> {
    await this.#reading;
    await this.#handle?.close();
    this.#handle = undefined;
  }

  async #open(): Promise<FileHandle> {
    try {
      return await open(this.path);
    } catch (error) {
      throw unreadable(this, `cannot be read: ${messageOf(error)}`, 'It is the file of --audit-log-path, on the machine of the API server.');
    }
  }

  async #read(): Promise<void> {
    if (this.#handle === undefined) return;
    const { ino, dev } = await this.#handle.stat();
    const named = await this.#named();
    await this.#toEnd(this.#handle);
    if (named === undefined || (named.ino === ino && named.dev === dev)) return;
    // Rotated: what the old file still got was read just now.
    const next = await this.#open();
    await this.#handle.close();
    this.#handle = next;
    this.#beginAnew();
    await this.#toEnd(next);
  }

  /** undefined: it was moved away, and the new one is not there yet. */
  async #named(): Promise<Stats | undefined> {
    try {
      return await stat(this.path);
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined;
      throw error;
    }
  }

  async #toEnd(handle: FileHandle): Promise<void> {
    const { size } = await handle.stat();
    if (size < this.#at) {
      this.#reader?.lost(`${this.name} was cut or begun anew, so that some of it was not read`);
      this.#beginAnew();
    }
    const piece = Buffer.alloc(pieceBytes);
    for (;;) {
      const { bytesRead } = await handle.read(piece, 0, pieceBytes, this.#at);
      if (bytesRead === 0) return;
      this.#at += bytesRead;
      this.#lines(Buffer.concat([this.#rest, piece.subarray(0, bytesRead)]));
    }
  }

  #lines(text: Buffer): void {
    let from = 0;
    for (let end = text.indexOf(newline); end !== -1; end = text.indexOf(newline, from)) {
      this.#line(text.toString('utf8', from, end));
      from = end + 1;
    }
    this.#rest = Buffer.from(text.subarray(from));
  }

  #line(line: string): void {
    if (line.trim() === '') return;
    const event = eventOf(line);
    if (event === undefined) this.#reader?.lost(`a line of ${this.name} is no audit event`);
    else this.#reader?.event(event);
  }

  #beginAnew(): void {
    if (this.#rest.length > 0) this.#reader?.lost(`the last line of ${this.name} was never ended`);
    this.#at = 0;
    this.#rest = Buffer.alloc(0);
  }
}
