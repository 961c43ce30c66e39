import dns from 'node:dns';
import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTcpServer, type AddressInfo } from 'node:net';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { httpPort } from '../../../src/clients/http/adapter.js';
import { GuardError } from '../../../src/engine/errors.js';
import { refusing, scopeFor } from '../lib/scope.js';

const { signal } = new AbortController();
const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

async function serve(answer: (request: IncomingMessage, response: ServerResponse) => void, host = '127.0.0.1'): Promise<{ readonly url: string; readonly port: number; readonly requests: string[] }> {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url} ${request.headers.host}`);
    answer(request, response);
  }).listen(0, host);
  servers.push(server);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, port, requests };
}

test('sends method, headers and body, and gives the answer', async () => {
  const { url } = await serve((request, response) => {
    let body = '';
    request.on('data', (data: Buffer) => (body += data.toString())).on('end', () => response.writeHead(201, { 'x-seen': request.headers['x-given'] }).end(`${request.method} ${body}`));
  });
  expect(await httpPort(scopeFor()).request({ url: `${url}/a?b=c`, method: 'PUT', headers: { 'X-Given': 'yes' }, body: 'grüße' }, signal)).toMatchObject({ status: 201, headers: { 'x-seen': 'yes' }, body: 'PUT grüße' });
});

describe('what leads elsewhere', () => {
  test('a redirect is an answer and is not followed', async () => {
    const other = await serve((_, response) => response.end());
    const { url } = await serve((_, response) => response.writeHead(302, { location: other.url }).end());
    expect(await httpPort(scopeFor()).request({ url }, signal)).toMatchObject({ status: 302 });
    expect(other.requests).toEqual([]);
  });

  test('the guard sees the address behind a name and the method’s effect, before anything is sent', async () => {
    const { port, requests } = await serve((_, response) => response.end());
    const scope = scopeFor();
    await httpPort(scope).request({ url: `http://localhost:${port}/x`, method: 'POST' }, signal).catch(() => undefined);
    expect(scope.passed).toEqual([{ target: { kind: 'http', url: `http://localhost:${port}/x`, address: expect.stringMatching(/^(127\.0\.0\.1|::1)$/) as string }, effect: 'modify' }]);
    const before = requests.length;
    await expect(httpPort(refusing(new GuardError('outside'))).request({ url: `http://localhost:${port}/` }, signal)).rejects.toThrow('outside');
    expect(requests).toHaveLength(before);
  });

  test('a name is resolved once: a second answer of its name server is never asked for', async () => {
    const { address } = await lookup('localhost');
    const { port, requests } = await serve((_, response) => response.end(), address);
    // What a connection by name would ask, and what a rebinding name server would then say.
    const asked = vi.spyOn(dns, 'lookup');
    try {
      await httpPort(scopeFor()).request({ url: `http://localhost:${port}/` }, signal);
      expect(requests).toEqual([`GET / localhost:${port}`]);
      expect(asked).not.toHaveBeenCalled();
    } finally {
      asked.mockRestore();
    }
  });

  test('a name in the Host header does not change where the request goes', async () => {
    const { url, requests } = await serve((_, response) => response.end());
    await httpPort(scopeFor()).request({ url: `${url}/`, headers: { Host: 'app.example.net' } }, signal);
    expect(requests).toEqual(['GET / app.example.net']);
  });

  test.each(['file:///etc/passwd', 'ftp://127.0.0.1/', 'nonsense', 'http://user:secret@127.0.0.1/'])('%s is refused', async (url) => {
    const error: unknown = await httpPort(scopeFor()).request({ url }, signal).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: 'http-invalid' });
    expect(String(error)).not.toContain('secret');
  });
});

test('keeps 64 KiB of an endless body', async () => {
  const { url } = await serve((_, response) => {
    const more = (): void => {
      while (!response.destroyed && response.write(Buffer.alloc(10_000, 'a')));
      response.once('drain', more);
    };
    more();
  });
  expect((await httpPort(scopeFor()).request({ url }, signal)).body).toBe('a'.repeat(65_536));
});

test('no answer in time, no server and an abort are told apart', async () => {
  const silent = await serve(() => undefined);
  await expect(httpPort(scopeFor()).request({ url: silent.url, timeoutMs: 50 }, signal)).rejects.toMatchObject({ code: 'http-timeout', retryable: true });

  const controller = new AbortController();
  const pending = httpPort(scopeFor()).request({ url: silent.url }, controller.signal);
  controller.abort(new Error('cancelled'));
  await expect(pending).rejects.toThrow('cancelled');

  const gone = createTcpServer().listen(0, '127.0.0.1');
  await once(gone, 'listening');
  const { port } = gone.address() as AddressInfo;
  gone.close();
  await once(gone, 'close');
  await expect(httpPort(scopeFor()).request({ url: `http://127.0.0.1:${port}` }, signal)).rejects.toMatchObject({ code: 'http-failed', retryable: true });
  await expect(httpPort(scopeFor()).request({ url: `http://${'a'.repeat(64)}.invalid` }, signal)).rejects.toMatchObject({ code: 'http-unresolved' });
});
