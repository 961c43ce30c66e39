import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { step } from '../../../src/steps/http/check.js';
import { contextFor, toldOf } from '../lib/context.js';
import { startService, type Service } from './service.js';

let service: Service;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.close());
beforeEach(() => {
  service.answer = { read: 200, write: 204, body: JSON.stringify({ status: { database: 'up' }, nodes: [{ ready: true }] }) };
});

test('an answer as expected is a health check that holds', async () => {
  const context = contextFor();
  const output = await step.run({ url: `${service.url}/health`, expect: { bodyContains: 'database', json: { 'status.database': 'up', 'nodes.0.ready': true } }, health: 'It is well' }, context);
  expect(output).toMatchObject({ status: 200 });
  expect(toldOf(context, 'evidence health-checks')).toEqual([{ checks: [{ name: 'It is well', ok: true, detail: 'status 200' }] }]);
  expect(await step.run({ url: `${service.url}/x`, method: 'POST', body: 'b', expect: { status: 204 } }, contextFor())).toMatchObject({ status: 204 });
  expect(service.requests).toEqual(['GET /health', 'POST /x b']);
});

test('everything that differs is told, can be tried again and is a health check that does not hold', async () => {
  const context = contextFor();
  service.answer = { ...service.answer, read: 503 };
  const why = 'expected status 200, found 503; expected a body that contains "green"; expected status.database to be "down", found "up"; expected status.__proto__ to be {}, found nothing';
  await expect(step.run({ url: service.url, expect: { bodyContains: 'green', json: { 'status.database': 'down', 'status.__proto__': {} } }, health: 'It is well' }, context)).rejects.toMatchObject({ code: 'http-unexpected', retryable: true, message: why });
  expect(toldOf(context, 'evidence health-checks')).toEqual([{ checks: [{ name: 'It is well', ok: false, detail: why }] }]);
});

test('no service at all is a health check that does not hold', async () => {
  const gone = await startService();
  await gone.close();
  const context = contextFor();
  await expect(step.run({ url: gone.url, health: 'It is well' }, context)).rejects.toMatchObject({ code: 'http-failed' });
  expect(toldOf(context, 'evidence health-checks')).toMatchObject([{ checks: [{ name: 'It is well', ok: false }] }]);
});

test('only methods that read are planned as reading', () => {
  expect([step.effect, step.changes].map((of) => (typeof of === 'function' ? of({ url: 'u' }) : of))).toEqual(['read', []]);
  for (const method of ['POST', 'DELETE', { unknown: 'inputs.method' }] as const) {
    expect(typeof step.effect === 'function' && step.effect({ url: 'u', method })).toBe('modify');
    expect(step.changes({ url: 'u', method })).toEqual([{ system: 'http', object: 'u' }]);
  }
});
