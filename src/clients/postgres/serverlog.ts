import { open } from 'node:fs/promises';

/**
 * Complete lines of a server's log from byte `from` on, without what clients' sessions log: what comes from here may be
 * written to the bundle. None when there is no such file.
 */
export async function readLog(path: string, from: number): Promise<string[]> {
  let file;
  try {
    file = await open(path, 'r');
  } catch {
    return [];
  }
  try {
    const { size } = await file.stat();
    const buffer = Buffer.alloc(Math.max(0, size - from));
    const { bytesRead } = await file.read(buffer, 0, buffer.length, from);
    return withoutSessions(buffer.toString('utf8', 0, bytesRead).split('\n'));
  } finally {
    await file.close();
  }
}

/** What a client's session logs, by the prefix of watched.ts. */
const ofSession = /^\S+ \S+ \S+ \[\d+\] \{.*?\} [A-Z]+\d?: {2}/;

/** Lines that go on begin with a tab. */
function withoutSessions(lines: readonly string[]): string[] {
  const kept: string[] = [];
  let dropping = false;
  for (const line of lines) {
    if (!line.startsWith('\t')) dropping = ofSession.test(line);
    if (!dropping && line !== '') kept.push(line);
  }
  return kept;
}

const severity = /(?:^|\s)(FATAL|PANIC|ERROR):\s+(.*)$/;
/** Fatal for a client that knocks, not for the server. */
const harmless = /the database system is (starting up|shutting down|in recovery|not (yet )?accepting connections)|terminating connection|authentication failed|no pg_hba\.conf entry|(role|database) ".*" does not exist|too many clients/;

const hints: readonly (readonly [RegExp, string])[] = [
  [/recovery ended before configured recovery target was reached/, 'The archived WAL ends before the target: choose an earlier one, or archive the segment that holds it.'],
  [/requested recovery stop point is before consistent recovery point/, 'The target lies inside the backup: choose an earlier backup or a later target.'],
  [/could not locate (required|a valid) checkpoint record/, 'recovery.signal or the WAL that the backup needs is missing.'],
  [/insufficient parameter settings/, 'Give the copy at least the limits that the source had (max_connections, max_worker_processes, max_wal_senders, max_prepared_transactions, max_locks_per_transaction).'],
  [/could not create any TCP\/IP sockets|could not bind/, 'Another program has taken the port.'],
  [/could not access file "|could not load library/, 'A library that the source loads is not installed here: override shared_preload_libraries in the settings of the copy.'],
  [/could not map anonymous shared memory|could not create shared memory/, 'Too little memory: lower shared_buffers in the settings of the copy.'],
  [/multiple recovery targets specified/, 'The configuration of the backup sets a recovery target of its own.'],
  [/could not restore file .* from archive/, 'restore_command could not read the archive.'],
  [/recovery target timeline \d+ does not exist|requested timeline \d+ is not a child/, 'The archive has no such timeline that this backup leads to.'],
];

export interface StartFailure {
  /** The line that decided, without its prefix: `FATAL: ...`. */
  readonly line: string;
  readonly hint: string | undefined;
}

/** Why a server did not start: the first FATAL or PANIC line of its log that says so, else the last line. */
export function startFailure(lines: readonly string[]): StartFailure {
  const fatal = lines
    .map((line) => severity.exec(line))
    .find((match) => match !== null && match[1] !== 'ERROR' && !harmless.test(match[2] ?? ''));
  const line = fatal ? `${fatal[1] ?? ''}: ${fatal[2] ?? ''}` : (lines.at(-1) ?? 'the server wrote nothing to its log');
  return { line, hint: hints.find(([pattern]) => lines.some((text) => pattern.test(text)))?.[1] };
}
