import { open } from 'node:fs/promises';

/** One entry of a server's log, written with the prefix of src/clients/postgres/watched.ts. */
export interface LogEntry {
  /** UTC, ISO 8601. */
  readonly at: string;
  readonly pid: number;
  /** null for processes of the server itself. */
  readonly session: { readonly user: string; readonly database: string; readonly application: string } | null;
  /** LOG, ERROR, FATAL, ... */
  readonly level: string;
  /** With the lines that go on. */
  readonly text: string;
}

const entry = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d+)?) \S+ \[(\d+)\] (?:\{([^@]*)@(.*?) (.*?)\} )?([A-Z]+\d?): {2}(.*)$/;

/** Entries of complete lines; lines of another form are left out. Pure. */
export function parseLog(lines: readonly string[]): LogEntry[] {
  const entries: (LogEntry & { text: string })[] = [];
  for (const line of lines) {
    const last = entries.at(-1);
    if (line.startsWith('\t')) {
      if (last !== undefined) last.text += `\n${line.slice(1)}`;
      continue;
    }
    const [, day, time, pid, user, database = '', application = '', level = '', text = ''] = entry.exec(line) ?? [];
    if (day === undefined) continue;
    entries.push({ at: `${day}T${time}Z`, pid: Number(pid), session: user === undefined ? null : { user, database, application }, level, text });
  }
  return entries;
}

/** Follows a log by reading what has been added; a file that became shorter is read again from its start. */
export class LogTail {
  #from: number;
  #rest = '';

  constructor(
    private readonly path: string,
    from: number,
  ) {
    this.#from = from;
  }

  /** The entries that are complete by now. An entry may go on, so the last one is held back until more follows, unless `all`. */
  async next(all = false): Promise<LogEntry[]> {
    this.#rest += await this.#added();
    const ends = [...this.#rest.matchAll(/\n(?!\t)/g)].map(({ index }) => index + 1);
    const end = all ? this.#rest.lastIndexOf('\n') + 1 : (ends.findLast((place) => place < this.#rest.length) ?? 0);
    const lines = this.#rest.slice(0, end).split('\n');
    this.#rest = this.#rest.slice(end);
    return parseLog(lines);
  }

  async #added(): Promise<string> {
    let file;
    try {
      file = await open(this.path, 'r');
    } catch {
      return '';
    }
    try {
      const { size } = await file.stat();
      if (size < this.#from) this.#from = 0;
      const buffer = Buffer.alloc(size - this.#from);
      const { bytesRead } = await file.read(buffer, 0, buffer.length, this.#from);
      this.#from += bytesRead;
      return buffer.toString('utf8', 0, bytesRead);
    } finally {
      await file.close();
    }
  }
}
