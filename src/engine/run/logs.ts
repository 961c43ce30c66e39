import { appendFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../errors.js';
import type { Redactor } from '../redact.js';

/** Of one log file, in characters. What comes later is left out, and the log says so. */
const longestLog = 4 * 1024 * 1024;

interface OpenLog {
  readonly file: string;
  waiting: string;
  length: number;
  writing: Promise<void> | undefined;
}

/** logs/<who>.log of a run. Lines are redacted; a folder or file is made when its first line comes. */
export class StepLogs {
  readonly #logs = new Map<string, OpenLog>();
  readonly #failures = new Map<string, string>();

  constructor(private readonly folder: string, private readonly redactor: Redactor) {}

  append(who: string, line: string): void {
    const log = this.#log(who);
    if (log.length >= longestLog) return;
    const text = `${this.redactor.text(line)}\n`;
    log.length += text.length;
    log.waiting += log.length < longestLog ? text : `(the log was cut here: it reached ${longestLog} characters)\n`;
    log.writing ??= this.#write(log);
  }

  /** Resolves when every line is in its file; gives the files that could not be written. */
  async close(): Promise<ReadonlyMap<string, string>> {
    for (const log of this.#logs.values()) await log.writing;
    return this.#failures;
  }

  #log(who: string): OpenLog {
    let log = this.#logs.get(who);
    if (log === undefined) {
      log = { file: `${who.replace(/[^A-Za-z0-9._-]+/g, '-')}.log`, waiting: '', length: 0, writing: undefined };
      this.#logs.set(who, log);
    }
    return log;
  }

  async #write(log: OpenLog): Promise<void> {
    try {
      await mkdir(this.folder, { recursive: true, mode: 0o700 });
      while (log.waiting !== '') {
        const text = log.waiting;
        log.waiting = '';
        await appendFile(join(this.folder, log.file), text, { mode: 0o600 });
      }
    } catch (error) {
      this.#failures.set(join('logs', log.file), messageOf(error));
      log.length = longestLog;
    }
    log.writing = undefined;
  }
}
