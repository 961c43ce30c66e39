import type { IncomingMessage } from 'node:http';
import type { Effect } from '../../engine/define-step.js';
import { StepError } from '../../engine/errors.js';
import type { Scope, Target } from '../../engine/scope.js';
import { AnswerError, type Client } from './client.js';
import { answerError, statusOf, type Status } from './errors.js';
import { Patience } from './patience.js';
import { ConnectionLost, type Call, type Login } from './transport.js';

/** A call and what the guard is told of it. */
export interface Request extends Call {
  /** In words, for errors: `patch deployments.apps shop/web`. */
  readonly what: string;
  readonly effect: Effect;
  /** Absent: the API's description of itself, which holds no objects. */
  readonly target?: Target;
  /** Nothing is lost when it is done twice: it may be sent again when nobody knows whether it arrived. */
  readonly repeatable: boolean;
  /** What is asked may be unavailable while the server is not: an aggregated API. */
  readonly optional?: true;
}

interface Answer {
  readonly status: number;
  readonly retryAfter: string | undefined;
}

/** For so long at most a server that is not ready is given the time to become so, before its answers count all the same. */
const readyMs = 60_000;

/** Calls of one scope: guarded, patient with a server that restarts or throttles, and able to have credentials renewed. */
export class Session {
  constructor(readonly scope: Scope, readonly client: Client, readonly connection: string, readonly role: 'production' | 'source' | 'target') {}

  /** The answer's JSON. */
  async json(request: Request, signal: AbortSignal = this.scope.signal): Promise<unknown> {
    const body = await this.text(request, signal);
    return body === '' ? {} : (JSON.parse(body) as unknown);
  }

  async text(request: Request, signal: AbortSignal = this.scope.signal): Promise<string> {
    return this.#send(request, signal, async (login) => {
      const { body, ...answer } = await login.text({ ...request, runId: this.scope.runId }, signal);
      return { answer, failure: () => Promise.resolve(body), result: body };
    });
  }

  /** An answer that is read as it comes; only its head is waited for. The reader destroys it. */
  async stream(request: Request, signal: AbortSignal): Promise<IncomingMessage> {
    return this.#send(request, signal, async (login) => {
      const response = await login.send({ ...request, runId: this.scope.runId }, signal);
      return { answer: { status: response.statusCode ?? 0, retryAfter: response.headers['retry-after'] }, failure: () => wholeOf(response), result: response };
    });
  }

  /** Resolves once the server serves everything that it has. */
  async settled(signal: AbortSignal = this.scope.signal): Promise<void> {
    await this.#settled(new Patience(this.scope.phase, signal), signal, () => unreachable('ask whether the API server is ready', 'it is not', undefined));
  }

  async #settled(patience: Patience, signal: AbortSignal, error: () => StepError): Promise<void> {
    const until = Date.now() + readyMs;
    while (Date.now() < until && (await this.client.starting(signal))) await patience.afterLoss(error);
  }

  async #send<T>(request: Request, signal: AbortSignal, send: (login: Login) => Promise<{ answer: Answer; failure: () => Promise<string>; result: T }>): Promise<T> {
    const patience = new Patience(this.scope.phase, signal);
    const { target, effect, what } = request;
    let refused = 0;
    let settled = false;
    for (;;) {
      if (target !== undefined) await this.scope.access(target, 'read');
      let sending = false;
      let failed: { readonly code: number; readonly status: Status; readonly error: StepError };
      try {
        const login = await this.client.open(signal);
        if (target !== undefined && effect !== 'read') await this.scope.access(target, effect);
        sending = true;
        const { answer, failure, result } = await send(login);
        if (answer.status >= 200 && answer.status < 300) return result;
        const status = statusOf(await failure());
        const seconds = Number(answer.retryAfter);
        failed = { code: answer.status, status: Number.isFinite(seconds) && answer.retryAfter !== undefined ? { ...status, details: { ...status.details, retryAfterSeconds: seconds } } : status, error: answerError(answer.status, status, what) };
      } catch (error) {
        if (error instanceof AnswerError) failed = { code: error.status, status: {}, error: error.error };
        else if (error instanceof ConnectionLost) {
          this.client.lost();
          settled = false;
          if (sending && error.sent && !request.repeatable) throw unreachable(what, `${error.message}; it may have been done all the same`, error);
          await patience.afterLoss(() => unreachable(what, error.message, error));
          continue;
        } else throw error;
      }
      if (failed.code === 401 && refused === 0) {
        refused = 1;
        this.client.reload();
      } else if (!settled && isDoubtful(failed.error, request)) {
        await this.#settled(patience, signal, () => failed.error);
        settled = true;
      } else if (failed.code === 401) {
        await this.#renewed(failed.error);
        refused = 0;
      } else await this.#afterFailure(failed, { ...request, repeatable: request.repeatable || !sending }, patience);
    }
  }

  /** Resolves when the call is worth sending again. */
  async #afterFailure({ code, status, error }: { readonly code: number; readonly status: Status; readonly error: StepError }, request: Request, patience: Patience): Promise<void> {
    if (error.code === 'k8s-throttled') return patience.wait((status.details?.retryAfterSeconds ?? 1) * 1000, () => error);
    const unavailable = error.code === 'k8s-unreachable' || (code === 500 && status.details?.retryAfterSeconds !== undefined);
    if (unavailable && request.repeatable && request.optional !== true) return patience.afterLoss(() => error);
    throw error;
  }

  /** The kubeconfig, read again, did not help: whoever sits at the drill is asked. */
  async #renewed(error: StepError): Promise<void> {
    this.client.reload();
    if ((await this.scope.renew?.(error.message)) !== true) throw error;
  }
}

/** A server that starts says the same of what it allows and has: only a ready one means it. */
function isDoubtful({ code }: StepError, { optional }: Request): boolean {
  return code === 'k8s-forbidden' || code === 'k8s-unauthorized' || code === 'k8s-no-such-kind' || (code === 'k8s-unreachable' && optional === true);
}

function unreachable(what: string, why: string, cause: unknown): StepError {
  return new StepError('k8s-unreachable', `${what}: ${why}`, { retryable: true, cause });
}

async function wholeOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}
