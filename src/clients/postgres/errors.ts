import { messageOf, StepError } from '../../engine/errors.js';

/** PostgreSQL's SQLSTATE, or the operating system's code. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

const sqlState = /^[0-9A-Z]{5}$/;
/** SQLSTATEs that say that the server is not there for us now: class 08, admin or crash shutdown, starting up, too many connections. */
const unreachable = /^(08...|57P0[123]|53300)$/;
/** Serialization failure, deadlock, lock not available. */
const again = new Set(['40001', '40P01', '55P03']);
const hints: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'Nothing listens there. Does the server run, and is this its port?',
  ENOTFOUND: 'The host name is not known.',
  EAI_AGAIN: 'The name server gave no answer.',
  ETIMEDOUT: 'No answer: look at routes and firewalls.',
  ECONNRESET: 'The server or something before it closed the connection.',
  '57P03': 'The server is starting up, shutting down or in recovery.',
  '53300': 'All connections are taken: raise max_connections or close some.',
};

/** The server knows the role no more, or its password: SQLSTATE 28000, 28P01. */
export function isCredentialRefusal(error: unknown): error is StepError {
  return error instanceof StepError && error.code === 'postgres-refused' && /^28(000|P01)$/.test(codeOf(error.cause) ?? '');
}

/** `where` is host:port. Retryable, because a server that recovers is there a moment later. */
export function connectionError(where: string, error: unknown): StepError {
  if (error instanceof StepError) return error;
  const code = codeOf(error);
  const hint = code === undefined ? undefined : hints[code];
  if (code !== undefined && sqlState.test(code) && !unreachable.test(code)) {
    const advice = code.startsWith('28') ? 'Passwords come from PGPASSWORD or the pgpass file, which is read again for each connection. Is the role still valid, and may it come from here?' : code === '3D000' ? 'Name an existing database in the environment.' : undefined;
    return new StepError('postgres-refused', `PostgreSQL at ${where} refused the connection: ${messageOf(error)}`, { cause: error, ...(advice === undefined ? {} : { hint: advice }) });
  }
  return new StepError('postgres-unreachable', `no connection to PostgreSQL at ${where}: ${messageOf(error) || (code ?? 'no reason given')}`, {
    cause: error,
    retryable: true,
    hint: hint ?? 'Does the server run, and is this its address?',
  });
}

/** An error of a query in an open session. The SQLSTATE stays in `cause.code`. */
export function queryError(where: string, error: unknown): Error {
  const code = codeOf(error);
  if (code === undefined || !sqlState.test(code) || unreachable.test(code)) return connectionError(where, error);
  const hint = error instanceof Error && 'hint' in error && typeof error.hint === 'string' ? error.hint : undefined;
  return new StepError('sql-error', `${messageOf(error)} (SQLSTATE ${code})`, { cause: error, retryable: again.has(code), ...(hint === undefined ? {} : { hint }) });
}
