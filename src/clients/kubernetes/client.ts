import { StepError } from '../../engine/errors.js';
import type { KubernetesDetails } from './details.js';
import { answerError, statusOf } from './errors.js';
import { openContext } from './kubeconfig.js';
import { ConnectionLost, Transport, type Login } from './transport.js';

/** RBAC of a server that has just started is not complete: for so long after a loss it may forbid what it allows later, also to say whether it is ready. */
const settlingMs = 10_000;

/** What every scope of one process shares of one connection: its transport, and whether it leads to the right cluster. */
export class Client {
  #transport: Promise<Transport> | undefined;
  /** Digest of the credentials with which the cluster said who it is. */
  #verified: string | undefined;
  /** When the server was last lost, in ms of Date.now(). */
  #lostAt = Number.NEGATIVE_INFINITY;
  /** Answers of the API's own description, by path; the same for every caller. */
  readonly descriptions = new Map<string, unknown>();

  constructor(readonly details: KubernetesDetails, private readonly secrets: { add(secret: string): void }) {}

  /** Ready to send to the cluster that was provisioned, and to no other: StepError `k8s-other-cluster`. */
  async open(signal: AbortSignal): Promise<Login> {
    // Other credentials may lead to another cluster, behind a proxy of many.
    const login = await (await this.#connected()).login();
    if (login.digest !== this.#verified) await this.#verify(login, signal);
    return login;
  }

  /** The connection was lost: what answers next must prove again which cluster it is. */
  lost(): void {
    this.#lostAt = Date.now();
    this.#verified = undefined;
  }

  /**
   * Does the server start, or stop? Then what it says is about that: it forbids before it has read its roles, and does not serve custom resources
   * before it has read their definitions. By /readyz, which everybody may ask once the roles are there.
   */
  async starting(signal: AbortSignal): Promise<boolean> {
    try {
      const { status } = await (await this.#connected()).text({ method: 'GET', path: '/readyz' }, signal);
      if (status === 200) return false;
      return status >= 500 || Date.now() - this.#lostAt < settlingMs;
    } catch (error) {
      if (!(error instanceof ConnectionLost)) throw error;
      this.lost();
      return true;
    }
  }

  /** Reads the kubeconfig again: a file that was edited, a plugin that was logged in again. */
  reload(): void {
    this.#transport = undefined;
    this.#verified = undefined;
  }

  #connected(): Promise<Transport> {
    return (this.#transport ??= this.#connect());
  }

  async #connect(): Promise<Transport> {
    const { kubeconfig, context: name, server } = this.details;
    try {
      const context = await openContext(kubeconfig, name);
      if (context.server !== server) throw otherCluster(`the context ${name} led to ${server} and now leads to ${context.server}`);
      return new Transport(context, this.secrets, () => this.lost());
    } catch (error) {
      this.#transport = undefined;
      throw error;
    }
  }

  async #verify(login: Login, signal: AbortSignal): Promise<void> {
    const { context, uid, server } = this.details;
    const found = await uidOf(login, signal);
    if (found !== uid) throw otherCluster(`the context ${context} (${server}) led to the cluster ${uid} and now leads to ${found}`);
    this.#verified = login.digest;
  }
}

/** The identity of a cluster: uid of its namespace kube-system. */
export async function uidOf(transport: Pick<Transport, 'text'>, signal: AbortSignal): Promise<string> {
  const { metadata } = await read(transport, '/api/v1/namespaces/kube-system', 'tell which cluster it is', signal);
  if (metadata?.uid === undefined) throw new StepError('k8s-error', 'the API server gave no uid of the namespace kube-system');
  return metadata.uid;
}

/** One object, without waiting for anything. Throws ConnectionLost, StepError. */
export async function read(transport: Pick<Transport, 'text'>, path: string, what: string, signal: AbortSignal): Promise<{ readonly metadata?: { readonly uid?: string } }> {
  const { status, body } = await transport.text({ method: 'GET', path }, signal);
  if (status !== 200) throw new AnswerError(status, answerError(status, statusOf(body), what));
  return JSON.parse(body) as { metadata?: { uid?: string } };
}

/** Keeps the HTTP status of an answer beside its meaning. */
export class AnswerError extends Error {
  override readonly name = 'AnswerError';
  constructor(readonly status: number, readonly error: StepError) {
    super(error.message, { cause: error });
  }
}

function otherCluster(what: string): StepError {
  return new StepError('k8s-other-cluster', what, { hint: 'Nothing was sent. Plan again against the cluster that is meant.' });
}

/** For who asks once: what came back in place of an answer, in words. */
export async function answered<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof AnswerError) throw error.error;
    if (error instanceof ConnectionLost) throw new StepError('k8s-unreachable', `the API server cannot be reached: ${error.message}`, { cause: error, retryable: true });
    throw error;
  }
}
