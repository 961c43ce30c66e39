import { Type, type Static } from 'typebox';
import { defineProbe, type ProbeContext } from '../../engine/define-step.js';
import { parseDuration } from '../../engine/duration.js';
import { inWords, membersOf } from '../../engine/plannable.js';
import { Duration, EndpointName, literals, strict } from '../../engine/schema.js';
import { Expectation, Headers, shortfalls } from './lib/expect.js';
import { sampling, tryOnce, type Asked } from './lib/sampler.js';

const defaultEvery = '200ms';
const Path = (description: string) => Type.String({ pattern: '^/', description });

const input = Type.Object(
  {
    endpoint: EndpointName('The address that clients use'),
    scheme: Type.Optional(literals(['http', 'https'], { default: 'http' })),
    path: Type.Optional(Path('What is read; default /')),
    host: Type.Optional(Type.String({ minLength: 1, description: 'Name that the Host header gives instead of the address' })),
    headers: Type.Optional(Headers),
    expect: Type.Optional(Expectation),
    write: Type.Optional(
      Type.Object(
        { method: Type.Optional(literals(['POST', 'PUT', 'PATCH', 'DELETE'], { default: 'POST' })), path: Path('What is written to'), body: Type.Optional(Type.String()), headers: Type.Optional(Headers), expect: Type.Optional(Expectation) },
        { ...strict, description: 'One write of each sample. Without it the service is one that takes no writes, and a sample is healthy when its read is' },
      ),
    ),
    control: Type.Optional(Type.String({ description: 'URL of something unrelated: when it fails too, the outage is ours and not the service’s' })),
    every: Type.Optional(Duration('Interval of samples; default 200ms.')),
    timeout: Type.Optional(Duration('After which a request has failed; default 2s.')),
  },
  strict,
);

export const probe = defineProbe({
  type: 'http.availability',
  summary: 'Samples whether a service answers reads, and takes writes, at its endpoint: each sample over a new connection.',
  input,
  samples: 'availability',
  changes(given) {
    const { endpoint, write } = membersOf(given);
    return write === undefined ? [] : [{ system: `endpoint:${inWords(endpoint)}`, object: inWords(membersOf(write).path) }];
  },
  permissions: () => [],
  examples: [
    { title: 'A web service that only reads', with: { endpoint: 'app', path: '/health' } },
    { title: 'Reads and writes', with: { endpoint: 'app', path: '/items/1', every: '500ms', write: { method: 'PUT', path: '/items/drill', body: '{}', expect: { status: 204 } } } },
  ],
  plan(given) {
    const { endpoint, path, every, write } = membersOf(given);
    const writes = write === undefined ? 'writes are not tested' : `writes ${inWords(membersOf(write).method ?? 'POST')} ${inWords(membersOf(write).path)}`;
    return { does: `Every ${inWords(every ?? defaultEvery)} reads ${inWords(path ?? '/')} at endpoint ${inWords(endpoint)}; ${writes}`, calls: [`GET ${inWords(path ?? '/')}`] };
  },
  start(given, ctx) {
    const ended = new AbortController();
    const signal = AbortSignal.any([ctx.signal, ended.signal]);
    const running = sampling(parseDuration(given.every ?? defaultEvery), ctx.clock, signal, () => sample(given, ctx, signal));
    // Whoever stops the probe hears of an error; until then it must not count as unhandled.
    running.catch(() => undefined);
    return Promise.resolve({
      async stop() {
        ended.abort(new Error('the probe was stopped'));
        await running;
      },
    });
  },
});

async function sample(given: Static<typeof input>, ctx: ProbeContext, signal: AbortSignal): Promise<void> {
  const { read, write } = requests(given, ctx);
  const sent = ctx.clock.now();
  const [readError, writeError] = await Promise.all([tryOnce(ctx.ports.http, read, signal), write === undefined ? undefined : tryOnce(ctx.ports.http, write, signal)]);
  const done = ctx.clock.now();
  const failed = readError ?? writeError;
  const control = given.control === undefined ? null : failed === undefined || (await tryOnce(ctx.ports.http, { request: { url: given.control, timeoutMs: timeoutOf(given) }, judge: () => [] }, signal)) === undefined;
  const wrote = write === undefined ? readError === undefined : writeError === undefined;
  ctx.sample({
    type: 'probe.sample',
    data: { probe: ctx.probe, endpoint: given.endpoint, read: readError === undefined, write: wrote, control, sent, done, ...(failed === undefined ? {} : { error: failed }) },
  });
}

function timeoutOf({ timeout = '2s' }: Static<typeof input>): number {
  return parseDuration(timeout);
}

/** The endpoint's address is asked each time: it is where clients would go now. */
function requests(given: Static<typeof input>, ctx: ProbeContext): { readonly read: Asked; readonly write: Asked | undefined } {
  const { host, port } = ctx.ports.endpoints.address(given.endpoint);
  const origin = `${given.scheme ?? 'http'}://${host.includes(':') ? `[${host}]` : host}:${port}`;
  const name = given.host === undefined ? {} : { host: given.host };
  const timeoutMs = timeoutOf(given);
  const { write } = given;
  return {
    read: { request: { url: `${origin}${given.path ?? '/'}`, headers: { ...given.headers, ...name }, timeoutMs }, judge: (response) => shortfalls(response, given.expect ?? {}) },
    write: write && {
      request: { url: `${origin}${write.path}`, method: write.method ?? 'POST', headers: { ...given.headers, ...write.headers, ...name }, timeoutMs, ...(write.body === undefined ? {} : { body: write.body }) },
      judge: (response) => shortfalls(response, write.expect ?? { status: 200 }),
    },
  };
}
