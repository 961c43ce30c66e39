import { createHash, timingSafeEqual } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { isIPv6 } from 'node:net';
import { messageOf } from '../../engine/errors.js';
import { codeOf } from '../../engine/guard/paths.js';
import { eventsOf, unreadable } from './event.js';
import type { AuditReader, AuditSource, WebhookPlace } from './port.js';

/** A batch of the API server's default size, with events as large as it cuts them at most. */
const defaultMostBytes = 64 << 20;
const loopback = /^(localhost|127(\.\d+){3}|::1)$/;

interface Access {
  readonly cert?: Buffer;
  readonly key?: Buffer;
  readonly token?: string;
}

export interface WebhookOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The token is told before it is used. */
  readonly secrets: { add(secret: string): void };
  readonly mostBytes?: number;
}

/**
 * Listens for the batches of an API server's webhook backend. 200 is answered once all of a batch was taken; the API server
 * does not send again what is refused with 400, so that is lost.
 */
export class AuditWebhook implements AuditSource {
  readonly name: string;
  /** By default the API server waits 30 s for a batch to fill, and after a failure sends again in 10 to 20 s. */
  readonly delayMs = 60_000;
  readonly #host: string;
  #server: Server | undefined;

  constructor(private readonly place: WebhookPlace, private readonly options: WebhookOptions) {
    this.#host = place.host ?? '127.0.0.1';
    this.name = `the audit webhook at ${place.tls === undefined ? 'http' : 'https'}://${isIPv6(this.#host) ? `[${this.#host}]` : this.#host}:${place.port}`;
  }

  async check(): Promise<string> {
    const server = await this.#listen(await this.#access(), undefined);
    await closed(server);
    return `${this.name} can be listened at`;
  }

  async begin(reader: AuditReader): Promise<void> {
    this.#server = await this.#listen(await this.#access(), reader);
  }

  /** What was sent is with the reader already. */
  read(): Promise<void> {
    return Promise.resolve();
  }

  async end(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server !== undefined) await closed(server);
  }

  async #access(): Promise<Access> {
    const { tls, tokenFrom } = this.place;
    if (!loopback.test(this.#host) && (tls === undefined || tokenFrom === undefined)) {
      throw unreadable(this, 'could be told anything by anyone', 'At an address that others reach it needs `tls` and `tokenFrom`.');
    }
    const token = tokenFrom === undefined ? undefined : this.options.env[tokenFrom];
    if (tokenFrom !== undefined && (token === undefined || token === '')) throw unreadable(this, `has no token: ${tokenFrom} is not set`);
    if (token !== undefined) this.options.secrets.add(token);
    try {
      return { ...(token === undefined ? {} : { token }), ...(tls === undefined ? {} : { cert: await readFile(tls.cert), key: await readFile(tls.key) }) };
    } catch (error) {
      throw unreadable(this, `has no certificate: ${messageOf(error)}`);
    }
  }

  async #listen({ cert, key, token }: Access, reader: AuditReader | undefined): Promise<Server> {
    const answer = (request: IncomingMessage, response: ServerResponse): void => {
      this.#answer(request, token, reader).then(
        (status) => response.writeHead(status, { 'content-length': 0, ...(status === 200 ? {} : { connection: 'close' }) }).end(),
        (error: unknown) => {
          reader?.log(`${this.name}: a request ended early: ${messageOf(error)}`);
          response.destroy();
        },
      );
    };
    try {
      const server = cert === undefined || key === undefined ? (await import('node:http')).createServer(answer) : (await import('node:https')).createServer({ cert, key }, answer);
      await new Promise<void>((resolve, reject) => server.once('error', reject).listen({ host: this.#host, port: this.place.port }, resolve));
      return server;
    } catch (error) {
      throw unreadable(this, codeOf(error) === 'EADDRINUSE' ? 'cannot be listened at: something else listens there' : `cannot be listened at: ${messageOf(error)}`, 'Another drill with this environment may be under way.');
    }
  }

  /** Resolves to the status to answer with. A request that breaks off is no loss: the API server sends it again. */
  async #answer(request: IncomingMessage, token: string | undefined, reader: AuditReader | undefined): Promise<number> {
    if (token !== undefined && !isSame(request.headers.authorization ?? '', `Bearer ${token}`)) {
      reader?.log(`${this.name}: refused a request without the right token, from ${request.socket.remoteAddress ?? '?'}`);
      return 401;
    }
    if (request.method !== 'POST') return 405;
    if (reader === undefined) return 503;
    const refuse = (why: string) => {
      reader.lost(`${this.name} refused what was sent to it: ${why}`);
      return 400;
    };
    const body = await this.#body(request);
    if (body === undefined) return refuse(`it is larger than ${this.#mostBytes} bytes`);
    const events = eventsOf(body);
    if (events === undefined) return refuse('it is no EventList of audit.k8s.io/v1');
    for (const event of events) reader.event(event);
    return 200;
  }

  get #mostBytes(): number {
    return this.options.mostBytes ?? defaultMostBytes;
  }

  async #body(request: IncomingMessage): Promise<string | undefined> {
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of request) {
      bytes += (chunk as Buffer).length;
      // The rest is let by, or the answer would not be read.
      if (bytes <= this.#mostBytes) chunks.push(chunk as Buffer);
      else chunks.length = 0;
    }
    return bytes > this.#mostBytes ? undefined : Buffer.concat(chunks).toString('utf8');
  }
}

/** Takes as long whatever is given. */
function isSame(given: string, expected: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(expected));
}

async function closed(server: Server): Promise<void> {
  const ended = new Promise<void>((resolve) => void server.close(() => resolve()));
  server.closeAllConnections();
  await ended;
}
