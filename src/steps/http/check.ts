import { Type } from 'typebox';
import { defineStep } from '../../engine/define-step.js';
import { parseDuration } from '../../engine/duration.js';
import type { Ports } from '../../engine/define-step.js';
import { messageOf, StepError } from '../../engine/errors.js';
import { inWords, membersOf } from '../../engine/plannable.js';
import { Duration, EndpointName, literals, strict } from '../../engine/schema.js';
import { Expectation, Headers, shortfalls } from './lib/expect.js';

const methods = ['GET', 'HEAD', 'OPTIONS', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;
const reading: readonly string[] = ['GET', 'HEAD', 'OPTIONS'];

export const step = defineStep({
  type: 'http.check',
  summary: 'Sends one HTTP request and compares the answer with what is expected. Redirects are not followed.',
  input: Type.Object(
    {
      url: Type.Optional(Type.String({ minLength: 1, description: 'http:// or https://, without user and password' })),
      endpoint: Type.Optional(EndpointName('Instead of `url`: the address that clients use, wherever it leads now')),
      scheme: Type.Optional(literals(['http', 'https'], { default: 'http', description: 'Of an endpoint' })),
      path: Type.Optional(Type.String({ pattern: '^/', description: 'At an endpoint; default /' })),
      method: Type.Optional(literals(methods, { default: 'GET' })),
      headers: Type.Optional(Headers),
      body: Type.Optional(Type.String()),
      timeout: Type.Optional(Duration('For the whole exchange; default 10s.')),
      expect: Type.Optional(Expectation),
      health: Type.Optional(Type.String({ minLength: 1, description: 'Name of the health check that the answer decides' })),
    },
    strict,
  ),
  output: Type.Object({ status: Type.Integer(), durationMs: Type.Number() }, strict),
  effect(given) {
    const { method } = membersOf(given);
    return method === undefined || (typeof method === 'string' && reading.includes(method)) ? 'read' : 'modify';
  },
  changes(given) {
    const { method } = membersOf(given);
    return method === undefined || (typeof method === 'string' && reading.includes(method)) ? [] : [{ system: 'http', object: placeOf(membersOf(given)) }];
  },
  permissions: () => [],
  evidence: ['health-checks'],
  examples: [
    { title: 'The service and its database are well', with: { url: 'https://app.example.net/health', expect: { status: 200, json: { 'database.status': 'up' } }, health: 'The service is well' } },
    { title: 'What a restored service must still know', with: { endpoint: 'app', path: '/items/1', expect: { bodyContains: 'first' }, health: 'The restored data is served' } },
    { title: 'Tell a service to leave maintenance', with: { url: 'http://127.0.0.1:8080/maintenance', method: 'DELETE', expect: { status: 204 } } },
  ],
  plan(given) {
    const { method, expect } = membersOf(given);
    const status = expect === undefined ? 200 : (membersOf(expect).status ?? 200);
    const call = `${method === undefined ? 'GET' : inWords(method)} ${placeOf(membersOf(given))}`;
    return { does: `Sends ${call} and expects status ${inWords(status)}`, calls: [call] };
  },
  async run({ method = 'GET', headers, body, timeout = '10s', expect = {}, health, ...place }, ctx) {
    const url = urlOf(place, ctx.ports);
    const started = process.hrtime.bigint();
    const record = async (ok: boolean, detail: string): Promise<void> => {
      if (health !== undefined) await ctx.evidence('health-checks', { checks: [{ name: health, ok, detail }] });
    };
    const request = { url, method, timeoutMs: parseDuration(timeout), ...(headers === undefined ? {} : { headers }), ...(body === undefined ? {} : { body }) };
    const response = await ctx.ports.http.request(request, ctx.signal).catch(async (error: unknown) => {
      if (error instanceof StepError) await record(false, messageOf(error));
      throw error;
    });
    const durationMs = Number(process.hrtime.bigint() - started) / 1e6;
    const why = shortfalls(response, expect);
    await record(why.length === 0, why.length === 0 ? `status ${response.status}` : why.join('; '));
    if (why.length > 0) throw new StepError('http-unexpected', why.join('; '), { retryable: true });
    return { status: response.status, durationMs };
  },
});

function placeOf({ url, endpoint, path }: { readonly url?: unknown; readonly endpoint?: unknown; readonly path?: unknown }): string {
  return endpoint === undefined ? inWords(url) : `${inWords(path ?? '/')} at endpoint ${inWords(endpoint)}`;
}

/** An endpoint's address is asked when the request is sent. */
function urlOf({ url, endpoint, scheme = 'http', path = '/' }: { readonly url?: string; readonly endpoint?: string; readonly scheme?: string; readonly path?: string }, { endpoints }: Pick<Ports, 'endpoints'>): string {
  if (url !== undefined && endpoint === undefined) return url;
  if (endpoint === undefined || url !== undefined) throw new StepError('bad-input', 'give either `url`, or `endpoint` with `path`');
  const { host, port } = endpoints.address(endpoint);
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}${path}`;
}
