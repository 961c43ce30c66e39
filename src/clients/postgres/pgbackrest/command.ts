import { StepError } from '../../../engine/errors.js';
import { processPort } from '../../process/adapter.js';
import type { CommandResult } from '../../process/port.js';
import type { Effect } from '../../../engine/define-step.js';
import type { BackupsDetails } from '../details.js';
import { asUser, type Owner } from '../owner.js';
import type { RepositoryTools } from '../repository-tools.js';

/** Exit codes of pgBackRest (build/error/error.yaml) that an operator can do something about. */
const hints: Readonly<Record<string, string>> = {
  '028': 'The stanza belongs to another database: was it made for an earlier cluster?',
  '040': 'The place of the copy is not empty.',
  '041': 'The repository could not be read by the user that the copy runs as: name that user with `user:`.',
  '044': 'The stanza belongs to another database: was it made for an earlier cluster?',
  '055': 'The stanza has not been made, or the repository path is another one.',
  '058': 'pgBackRest could not connect to PostgreSQL.',
  '075': 'No backup ends before the target.',
  '082': 'A WAL segment did not reach the archive in time: look at archive_command in the log of the server.',
  '103': 'The stanza has not been made, or the repository path is another one.',
};

export interface PgbackrestCall {
  readonly args: readonly string[];
  readonly effect: Effect;
  readonly owner: Owner;
  readonly env?: Readonly<Record<string, string>>;
  readonly onLine?: (line: string) => void;
}

/**
 * Runs pgbackrest for the stanza of `details`. Its times are local ones, so TZ is UTC. Throws StepError `pgbackrest-failed` with
 * its own error line.
 */
export async function runPgbackrest(details: BackupsDetails, tools: RepositoryTools, call: PgbackrestCall, signal: AbortSignal): Promise<CommandResult> {
  const config = details.configFile === undefined ? [] : [`--config=${details.configFile}`];
  const stanza = details.stanza === undefined ? [] : [`--stanza=${details.stanza}`];
  const result = await processPort(tools.scope).run(
    [details.command ?? 'pgbackrest', ...config, ...stanza, '--log-level-file=off', '--log-level-console=off', '--log-level-stderr=warn', ...call.args],
    { effect: call.effect, env: { TZ: 'UTC', LANG: 'C.UTF-8', ...call.env }, okExitCodes: Array.from({ length: 256 }, (_, i) => i), ...asUser(call.owner), cwd: details.path, ...(call.onLine === undefined ? {} : { onLine: call.onLine }) },
    signal,
  );
  if (result.exitCode === 0) return result;
  const error = /ERROR: \[(\d{3})\]: (.*)/.exec(result.stderr);
  const hint = hints[error?.[1] ?? String(result.exitCode).padStart(3, '0')];
  throw new StepError('pgbackrest-failed', `pgbackrest ${call.args.find((arg) => !arg.startsWith('-')) ?? ''} failed: ${error?.[0] ?? `exit code ${result.exitCode}`}`, hint === undefined ? {} : { hint });
}
