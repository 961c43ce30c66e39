import { expect, test } from 'vitest';
import { answerError, statusOf } from '../../../src/clients/kubernetes/errors.js';

const meant = (code: number, body: unknown) => answerError(code, statusOf(typeof body === 'string' ? body : JSON.stringify(body)), 'list clusters.postgresql.cnpg.io in databases');

test('an object that is not there is told by a Status; a path that is not served has none', () => {
  const status = { kind: 'Status', apiVersion: 'v1', reason: 'NotFound', message: 'clusters.postgresql.cnpg.io "app" not found', code: 404 };
  expect(meant(404, status)).toMatchObject({ code: 'k8s-not-found', message: expect.stringContaining('"app" not found') as unknown });
  const bodies = ['404 page not found\n', '', '<html>no backend</html>', 'null', '"404"', { message: 'no route' }];
  for (const body of bodies) expect(meant(404, body)).toMatchObject({ code: 'k8s-no-such-kind', hint: expect.stringMatching(/CustomResourceDefinition/) as unknown });
  expect(meant(404, bodies[0]).message).toBe('list clusters.postgresql.cnpg.io in databases: 404 page not found');
});

test('a server that is away, starting or busy is worth asking again', () => {
  for (const code of [502, 503, 504]) expect(meant(code, 'bad gateway')).toMatchObject({ code: 'k8s-unreachable', retryable: true });
  expect(meant(503, { kind: 'Status', message: 'server is starting', details: { retryAfterSeconds: 10 } })).toMatchObject({ code: 'k8s-unreachable', retryable: true });
  expect(meant(429, { kind: 'Status', message: 'too many requests' })).toMatchObject({ code: 'k8s-throttled', retryable: true });
  expect(meant(403, { kind: 'Status', message: 'forbidden' })).toMatchObject({ code: 'k8s-forbidden', retryable: false });
});
