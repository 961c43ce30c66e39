import type { LookupAddress } from 'node:dns';
import { lookup } from 'node:dns/promises';
import type { IncomingMessage, RequestOptions } from 'node:http';
import { isIP } from 'node:net';
import { messageOf, StepError } from '../../engine/errors.js';
import { codeOf } from '../../engine/guard/paths.js';
import type { Scope } from '../../engine/scope.js';
import type { HttpPort, HttpRequest, HttpResponse } from './port.js';

const bodyLimit = 64 * 1024;
const defaultTimeoutMs = 10_000;
const readMethods = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * HTTP and HTTPS on behalf of `scope`. A name is resolved once; the guard sees every address, and the connection goes
 * to the first of them that accepts it, and to no other. Throws StepError `http-invalid`, `http-unresolved`, `http-timeout`, `http-failed`.
 */
export function httpPort(scope: Scope): HttpPort {
  return { request: (request, signal) => send(scope, request, signal) };
}

async function send(scope: Scope, request: HttpRequest, signal: AbortSignal): Promise<HttpResponse> {
  const url = parse(request.url);
  const method = (request.method ?? 'GET').toUpperCase();
  const where = `${method} ${url.origin}${url.pathname}`;
  const timeoutMs = request.timeoutMs ?? defaultTimeoutMs;
  const timeout = AbortSignal.timeout(timeoutMs);
  const either = AbortSignal.any([signal, timeout]);
  try {
    const host = url.hostname.replace(/^\[|\]$/g, '');
    const addresses = await aborting(resolve(host), either);
    for (const { address } of addresses) await scope.access({ kind: 'http', url: url.href, address }, readMethods.has(method) ? 'read' : 'modify');
    either.throwIfAborted();
    return await firstOf(addresses, (address) => exchange(url, method, request, address, either));
  } catch (error) {
    signal.throwIfAborted();
    if (timeout.aborted) throw new StepError('http-timeout', `${where}: no complete answer within ${timeoutMs} ms`, { retryable: true });
    if (error instanceof StepError || (error instanceof Error && error.name === 'RefusedError')) throw error;
    throw new StepError('http-failed', `${where}: ${messageOf(error)}`, { retryable: true, cause: error });
  }
}

function parse(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:')) throw new StepError('http-invalid', 'expected an http:// or https:// URL');
  if (url.username !== '' || url.password !== '') throw new StepError('http-invalid', 'a URL must not hold a user or a password', { hint: 'Give them in a header whose value comes from an x-sensitive input.' });
  return url;
}

/** All addresses of a name. */
async function resolve(host: string): Promise<LookupAddress[]> {
  const family = isIP(host);
  if (family !== 0) return [{ address: host, family }];
  try {
    return await lookup(host, { all: true });
  } catch (error) {
    throw new StepError('http-unresolved', `${host} has no address: ${messageOf(error)}`, { retryable: true, cause: error });
  }
}

const notSent = new Set<unknown>(['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'EADDRNOTAVAIL']);

/** Another address is tried only while nothing was sent. */
async function firstOf<T>(addresses: readonly LookupAddress[], work: (address: string) => Promise<T>): Promise<T> {
  for (const { address } of addresses.slice(0, -1)) {
    try {
      return await work(address);
    } catch (error) {
      if (!notSent.has(codeOf(error))) throw error;
    }
  }
  return work(addresses.at(-1)?.address ?? '');
}

/** What cannot be cancelled is left behind when `signal` is aborted. */
function aborting<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((done, failed) => {
    const abort = (): void => failed(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    work.then(done, failed).finally(() => signal.removeEventListener('abort', abort));
  });
}

async function exchange(url: URL, method: string, request: HttpRequest, address: string, signal: AbortSignal): Promise<HttpResponse> {
  const secure = url.protocol === 'https:';
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const headers: Record<string, string | number> = { 'user-agent': 'muster', host: url.host };
  for (const [header, value] of Object.entries(request.headers ?? {})) headers[header.toLowerCase()] = value;
  if (request.body !== undefined) headers['content-length'] = Buffer.byteLength(request.body);
  // The name that the server's certificate must bear: a Host header speaks for an address.
  const name = isIP(host) === 0 ? host : String(headers['host']).replace(/:\d+$/, '');
  const options: RequestOptions & { servername?: string } = {
    // The address, not the name: nothing can resolve it to another one between the guard and the connection.
    host: address,
    port: url.port === '' ? (secure ? 443 : 80) : Number(url.port),
    path: `${url.pathname}${url.search}`,
    method,
    headers,
    agent: false,
    signal,
    ...(secure && isIP(name) === 0 ? { servername: name } : {}),
  };
  const { request: start } = secure ? await import('node:https') : await import('node:http');
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    start(options, resolve).on('error', reject).end(request.body);
  });
  const received: Record<string, string> = {};
  for (const [header, value] of Object.entries(response.headers)) received[header] = Array.isArray(value) ? value.join(', ') : (value ?? '');
  return { status: response.statusCode ?? 0, headers: received, body: await readBody(response) };
}

async function readBody(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    length += chunk.length;
    if (length >= bodyLimit) break;
  }
  return Buffer.concat(chunks).subarray(0, bodyLimit).toString('utf8');
}
