import { setMaxListeners } from 'node:events';
import { request as httpRequest, type Agent, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest, type RequestOptions } from 'node:https';
import type { KubeConfig } from '@kubernetes/client-node';
import { sha256 } from '../../engine/canonical.js';
import { messageOf, StepError } from '../../engine/errors.js';
import type { Context } from './kubeconfig.js';

/** One request, as the API server gets it. */
export interface Call {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** With its query. */
  readonly path: string;
  readonly body?: unknown;
  readonly contentType?: string;
  readonly accept?: string;
  /** The run that calls: audit logs tell it from others by it. */
  readonly runId?: string;
  /**
   * Of the event in the server's audit log; default: the server chooses. Such a call goes by a connection of its own, which a load
   * balancer may lead to another of several API servers.
   */
  readonly auditId?: string;
}

/** The server could not be asked. `sent`: the request may have arrived, so that nobody knows whether it was done. */
export class ConnectionLost extends Error {
  override readonly name = 'ConnectionLost';
  constructor(message: string, readonly sent: boolean, options?: ErrorOptions) {
    super(message, options);
  }
}

/** Asked for again at the latest after this time: tokens of plugins expire. */
const credentialsMs = 30_000;
const connectMs = 10_000;

/** Credentials as they were asked for once. */
interface Credentials {
  readonly at: number;
  /** As the SDK takes them. */
  readonly options: RequestOptions;
  readonly agent: Agent;
  readonly headers: OutgoingHttpHeaders;
  /** Tells them from others. */
  readonly digest: string;
}

/** Requests with one set of credentials, whatever the kubeconfig's files and plugins say meanwhile. Knows nothing of what is asked. */
export class Login {
  constructor(readonly context: Context, private readonly credentials: Credentials, private readonly onClosed: () => void) {}

  /** Two of the same digest are of the same credentials. */
  get digest(): string {
    return this.credentials.digest;
  }

  /** For the SDK: a kubeconfig that has these credentials and asks nobody for others. By the User-Agent an audit log tells the run's calls from those of others. */
  config(runId: string | undefined): KubeConfig {
    const { options, headers } = this.credentials;
    const signed = { ...options, headers: { ...headers, 'user-agent': userAgent(runId) } };
    return Object.assign(Object.create(this.context.config) as KubeConfig, { applyToHTTPSOptions: (given: RequestOptions) => Promise.resolve(void Object.assign(given, signed)) });
  }

  /** Resolves with the answer's head, whatever its status. Throws ConnectionLost; when `signal` is aborted, its reason. */
  async send(call: Call, signal: AbortSignal): Promise<IncomingMessage> {
    const { agent, headers, options: given } = this.credentials;
    // The SDK's own agent is taken where it leads through a proxy.
    const apart = call.auditId !== undefined && agent !== given.agent;
    signal.throwIfAborted();
    // Many calls of one step wait for the same signal.
    setMaxListeners(0, signal);
    const url = new URL(`${this.context.server}${call.path}`);
    const body = call.body === undefined ? undefined : Buffer.from(JSON.stringify(call.body));
    const options: RequestOptions = {
      method: call.method,
      ...(apart ? { ...tlsOf(given), agent: false } : { agent }),
      headers: { ...headers, accept: call.accept ?? 'application/json', 'user-agent': userAgent(call.runId), ...(call.auditId === undefined ? {} : { 'audit-id': call.auditId }), ...(body === undefined ? {} : { 'content-type': call.contentType ?? 'application/json', 'content-length': body.length }) },
    };
    return new Promise((resolve, reject) => {
      let connected = false;
      const request = (url.protocol === 'http:' ? httpRequest : httpsRequest)(url, options);
      const abort = () => request.destroy();
      const timer = setTimeout(() => request.destroy(new Error(`no connection within ${connectMs} ms`)), connectMs);
      const settle = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', abort);
      };
      signal.addEventListener('abort', abort, { once: true });
      const ready = () => {
        connected = true;
        clearTimeout(timer);
      };
      request.once('socket', (socket) => {
        if (request.reusedSocket) return ready();
        socket.once(url.protocol === 'http:' ? 'connect' : 'secureConnect', ready);
        if (!apart) for (const end of ['end', 'error']) socket.once(end, this.onClosed);
      });
      request.once('response', (response) => {
        settle();
        const end = () => response.destroy();
        signal.addEventListener('abort', end, { once: true });
        response.once('close', () => signal.removeEventListener('abort', end));
        resolve(response);
      });
      request.once('error', (error) => {
        settle();
        reject(signal.aborted ? reasonOf(signal) : new ConnectionLost(`${url.host}: ${messageOf(error)}`, connected, { cause: error }));
      });
      request.end(body);
    });
  }

  /** The whole answer. */
  async text(call: Call, signal: AbortSignal): Promise<{ readonly status: number; readonly retryAfter: string | undefined; readonly body: string }> {
    const response = await this.send(call, signal);
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of response) chunks.push(chunk as Buffer);
    } catch (error) {
      throw signal.aborted ? reasonOf(signal) : new ConnectionLost(`the answer of ${this.context.server} ended early: ${messageOf(error)}`, true, { cause: error });
    }
    if (!response.complete) throw signal.aborted ? reasonOf(signal) : new ConnectionLost(`the answer of ${this.context.server} ended early`, true);
    return { status: response.statusCode ?? 0, retryAfter: response.headers['retry-after'], body: Buffer.concat(chunks).toString('utf8') };
  }
}

/** The way to the server of one context. */
export class Transport {
  #credentials: Promise<Credentials> | undefined;
  #agents = new Map<string, Agent>();

  /** `onClosed`: the server has ended a connection, also one that nobody waited on. */
  constructor(readonly context: Context, private readonly secrets: { add(secret: string): void }, private readonly onClosed: () => void = () => undefined) {}

  /** With the credentials of now: files and plugins are asked again when it is time. Throws StepError `k8s-unauthorized`. */
  async login(): Promise<Login> {
    return new Login(this.context, await this.#current(), this.onClosed);
  }

  /** The whole answer, for who asks once. */
  async text(call: Call, signal: AbortSignal): ReturnType<Login['text']> {
    return (await this.login()).text(call, signal);
  }

  /** Ends idle connections. */
  close(): void {
    for (const agent of this.#agents.values()) agent.destroy();
  }

  async #current(): Promise<Credentials> {
    const known = await this.#credentials?.catch(() => undefined);
    if (known !== undefined && Date.now() - known.at < credentialsMs) return known;
    this.#credentials = this.#ask();
    return this.#credentials;
  }

  async #ask(): Promise<Credentials> {
    const options: RequestOptions = {};
    try {
      await this.context.config.applyToHTTPSOptions(options);
    } catch (error) {
      throw new StepError('k8s-unauthorized', `no credentials for the context ${this.context.config.getCurrentContext()}: ${messageOf(error).trim()}`, { cause: error, hint: 'Log in again, or look at the plugin that the kubeconfig names.' });
    }
    const headers: OutgoingHttpHeaders = { ...(options.headers as OutgoingHttpHeaders | undefined), ...(typeof options.auth === 'string' ? { authorization: `Basic ${Buffer.from(options.auth).toString('base64')}` } : {}) };
    for (const value of [headers['Authorization'], headers['authorization']]) if (typeof value === 'string') this.secrets.add(value.replace(/^(Bearer|Basic) /, ''));
    const digest = sha256(JSON.stringify([headers, identityOf(options)]));
    return { at: Date.now(), options, agent: this.#agent(options), headers, digest };
  }

  /** One for each certificate, so that connections outlive a look at the kubeconfig. */
  #agent(options: RequestOptions): Agent {
    const identity = identityOf(options);
    const known = this.#agents.get(identity);
    if (known !== undefined) return known;
    const cluster = this.context.config.getCurrentCluster();
    const special = cluster?.proxyUrl !== undefined || this.context.server.startsWith('http:');
    const own = (): Agent => new HttpsAgent({ keepAlive: true, ...tlsOf(options) });
    const agent = special && typeof options.agent === 'object' ? options.agent : own();
    this.#agents.set(identity, agent);
    return agent;
  }
}

function tlsOf({ ca, cert, key, rejectUnauthorized, servername }: RequestOptions): Pick<RequestOptions, 'ca' | 'cert' | 'key' | 'rejectUnauthorized' | 'servername'> {
  return { ...(ca === undefined ? {} : { ca }), ...(cert === undefined ? {} : { cert }), ...(key === undefined ? {} : { key }), ...(rejectUnauthorized === undefined ? {} : { rejectUnauthorized }), ...(servername === undefined ? {} : { servername }) };
}

/** Of a client certificate, and of what the server must show. */
function identityOf({ ca, cert, key, rejectUnauthorized, servername }: RequestOptions): string {
  return sha256([ca, cert, key, rejectUnauthorized, servername].map(String).join('\n'));
}

export function reasonOf(signal: AbortSignal): Error {
  const reason: unknown = signal.reason;
  return reason instanceof Error ? reason : new Error(messageOf(reason));
}

/** What an audit log knows our calls by. */
export function userAgent(runId: string | undefined): string {
  return runId === undefined ? 'muster' : `muster/${runId}`;
}
