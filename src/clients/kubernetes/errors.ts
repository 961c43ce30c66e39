import { StepError, type StepErrorOptions } from '../../engine/errors.js';

/** The API's `Status`, as far as it is looked at. */
export interface Status {
  /** Absent: the body was none. */
  readonly kind?: 'Status';
  readonly message?: string;
  readonly reason?: string;
  readonly code?: number;
  readonly details?: { readonly causes?: readonly { readonly reason?: string; readonly message?: string; readonly field?: string }[]; readonly retryAfterSeconds?: number };
}

/** A body that is no Status is taken as its message. */
export function statusOf(body: string): Status {
  try {
    const value = JSON.parse(body) as Status | null;
    if (value?.kind === 'Status') return value;
  } catch {
    // Proxies and kubelets answer in plain text, and the API server for paths that it does not serve.
  }
  return { message: body.trim().slice(0, 500) };
}

export const notServed = 'Is its CustomResourceDefinition installed?';

/** What the server answered in place of what was asked for; `what` was asked. */
export function answerError(code: number, status: Status, what: string): StepError {
  // What follows the first line are Go structures.
  const said = status.message?.split('\n')[0] || `HTTP ${code}`;
  const error = (kind: string, options: StepErrorOptions = {}) => new StepError(kind, `${what}: ${said}`, options);
  switch (code) {
    case 400:
    case 413:
    case 415:
    case 422:
      return error('k8s-rejected');
    case 401:
      return error('k8s-unauthorized', { hint: 'The credentials have expired or are refused: log in again.' });
    case 403:
      return error('k8s-forbidden', { hint: '`muster permissions` prints the roles that a drill needs.' });
    case 404:
      // Of an object that is not there it says so in a Status; for a path that it does not serve, or not yet, it has none.
      return status.kind === 'Status' ? error('k8s-not-found') : error('k8s-no-such-kind', { hint: notServed });
    case 409:
      return error(status.reason === 'AlreadyExists' ? 'k8s-exists' : 'k8s-conflict');
    case 410:
      return error('k8s-expired', { retryable: true });
    case 429:
      return status.details?.causes?.some(({ reason }) => reason === 'DisruptionBudget') === true || /disruption budget/.test(said) ? error('k8s-disruption-budget', { retryable: true }) : error('k8s-throttled', { retryable: true });
    case 502:
    case 503:
    case 504:
      return error('k8s-unreachable', { retryable: true });
    case 500:
      // What does not fit the kind's schema is called an internal error by server-side apply.
      return /typed (patch|live) object/.test(said) ? error('k8s-rejected') : error('k8s-error', { retryable: true });
    default:
      return error('k8s-error', { retryable: code >= 500 });
  }
}
