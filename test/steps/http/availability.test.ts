import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import type { ProbeContext, RunningProbe } from '../../../src/engine/define-step.js';
import { GuardError } from '../../../src/engine/errors.js';
import type { EventDataOf } from '../../../src/engine/events.js';
import { LiveWorld } from '../../../src/engine/world.js';
import { probe } from '../../../src/steps/http/availability.js';
import { scopeFor } from '../../clients/lib/scope.js';
import { contextFor, type Setting } from '../lib/context.js';
import { startService, type Service } from './service.js';

type Sample = EventDataOf<'probe.sample'>;
const services: Service[] = [];
const probes: RunningProbe[] = [];
afterEach(async () => {
  for (const running of probes.splice(0)) await running.stop();
  for (const service of services.splice(0)) await service.close();
});

async function service(port = 0): Promise<Service> {
  const started = await startService(port);
  services.push(started);
  return started;
}

/** Samples `port` as endpoint `app`; `next` gives the first sample from now on that `fits`. */
function sampling(given: Omit<Parameters<typeof probe.start>[0], 'endpoint'>, port: number, setting: Setting = {}) {
  const world = new LiveWorld();
  world.apply({ type: 'endpoint.opened', data: { endpoint: 'app', host: '127.0.0.1', port, to: null } });
  const samples: Sample[] = [];
  let heard: (sample: Sample) => void = () => undefined;
  const context: ProbeContext = {
    ...contextFor({ world, ...setting }),
    probe: 'web',
    earlier: null,
    sample: (event) => {
      if (event.type !== 'probe.sample') return;
      samples.push(event.data);
      heard(event.data);
    },
  };
  const next = (fits: (sample: Sample) => boolean) =>
    new Promise<Sample>((resolve) => {
      heard = (sample) => fits(sample) && resolve(sample);
    });
  return { samples, next, started: probe.start({ endpoint: 'app', every: '10ms', ...given }, context) };
}

test('tells reads and writes apart, and follows the service down and up again', async () => {
  const app = await service();
  app.answer = { read: 200, write: 204, body: '' };
  const { samples, next, started } = sampling({ path: '/items', write: { method: 'PUT', path: '/items/1', body: 'x', expect: { status: 204 } } }, app.port);
  probes.push(await started);
  const first = await next(() => true);
  expect(first).toMatchObject({ probe: 'web', endpoint: 'app', read: true, write: true, control: null });
  expect(BigInt(first.done.mono)).toBeGreaterThanOrEqual(BigInt(first.sent.mono));
  expect(app.requests).toEqual(expect.arrayContaining(['GET /items', 'PUT /items/1 x']));

  app.answer = { read: 200, write: 500, body: '' };
  expect(await next(({ write }) => !write)).toMatchObject({ read: true, write: false, error: 'expected status 204, found 500' });
  await app.close();
  services.length = 0;
  expect(await next(({ read }) => !read)).toMatchObject({ read: false, write: false, error: expect.stringContaining('ECONNREFUSED') as string });
  const again = await service(app.port);
  again.answer = { read: 200, write: 204, body: '' };
  await next(({ read, write }) => read && write);

  await probes.pop()?.stop();
  const { length } = samples;
  // What is still under way would be answered by now.
  await fetch(again.url);
  expect(samples).toHaveLength(length);
  const sent = samples.map((sample) => BigInt(sample.sent.mono));
  expect(samples.slice(1).every((sample, index) => BigInt(samples[index]?.done.mono ?? 0) <= BigInt(sample.sent.mono))).toBe(true);
  expect(sent.length).toBeGreaterThan(3);
});

test('without writes a sample is healthy when its read is; the control endpoint tells whose outage it is', async () => {
  const [app, control] = [await service(), await service()];
  const { next, started } = sampling({ control: control.url }, app.port);
  probes.push(await started);
  expect(await next(() => true)).toMatchObject({ read: true, write: true, control: true });
  app.answer = { ...app.answer, read: 500 };
  expect(await next(({ read }) => !read)).toMatchObject({ write: false, control: true });
  await control.close();
  services.pop();
  expect(await next(({ control: reached }) => reached === false)).toMatchObject({ read: false });
});

test('a request that hangs is a failed sample after its timeout', async () => {
  const silent = createServer().listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const { next, started } = sampling({ timeout: '30ms' }, (silent.address() as AddressInfo).port);
  const running = await started;
  expect(await next(() => true)).toMatchObject({ read: false, error: expect.stringContaining('30 ms') as string });
  await running.stop();
  silent.close();
});

test('a refusal by the guard is no outage: it ends the probe', async () => {
  let refused = (): void => undefined;
  const asked = new Promise<void>((resolve) => (refused = resolve));
  const scope = { ...scopeFor(), access: () => Promise.reject(new GuardError('outside the boundary')).finally(refused) };
  const { samples, started } = sampling({}, 1, { scope });
  const running = await started;
  await asked;
  await new Promise((resolve) => setImmediate(resolve));
  await expect(running.stop()).rejects.toThrow('outside the boundary');
  expect(samples).toEqual([]);
});
