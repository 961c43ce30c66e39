import { messageOf } from '../../../engine/errors.js';

/** PostgreSQL's SQLSTATE of an error or of its causes; undefined when no server said anything (network, timeout). */
export function sqlState(error: unknown): string | undefined {
  for (let at: unknown = error, depth = 0; typeof at === 'object' && at !== null && depth < 5; depth += 1) {
    const code: unknown = 'code' in at ? at.code : undefined;
    // Node's codes start with E (EPIPE); no SQLSTATE class does.
    if (typeof code === 'string' && /^[0-9A-DF-Z][0-9A-Z]{4}$/.test(code)) return code;
    at = 'cause' in at ? at.cause : undefined;
  }
  return undefined;
}

/** After this error the session is of no use: connection lost, server shutting down or starting up. */
export function endsSession(error: unknown): boolean {
  const state = sqlState(error);
  return state === undefined || state.startsWith('08') || state.startsWith('57P');
}

export const undefinedTable = '42P01';

/** `42P01: relation "orders" does not exist`. */
export function describe(error: unknown): string {
  const state = sqlState(error);
  const message = messageOf(error);
  return state === undefined || message.includes(state) ? message : `${state}: ${message}`;
}
