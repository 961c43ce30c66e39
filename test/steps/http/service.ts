import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A web service that can be told to fail. */
export interface Service {
  readonly url: string;
  readonly port: number;
  /** `METHOD path body` of each request, in order. */
  readonly requests: string[];
  /** What it answers from now on. */
  answer: { readonly read: number; readonly write: number; readonly body: string };
  close(): Promise<void>;
}

export async function startService(port = 0): Promise<Service> {
  const requests: string[] = [];
  const server: Server = createServer((request, response) => {
    void bodyOf(request).then((body) => {
      requests.push(`${request.method} ${request.url} ${body}`.trim());
      response.writeHead(request.method === 'GET' ? service.answer.read : service.answer.write).end(service.answer.body);
    });
  }).listen(port, '127.0.0.1');
  await once(server, 'listening');
  const bound = (server.address() as AddressInfo).port;
  const service: Service = {
    url: `http://127.0.0.1:${bound}`,
    port: bound,
    requests,
    answer: { read: 200, write: 200, body: '{}' },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return service;
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = '';
  for await (const chunk of request as AsyncIterable<Buffer>) body += chunk.toString();
  return body;
}
