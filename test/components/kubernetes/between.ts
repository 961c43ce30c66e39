import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Agent, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import type { Cluster } from './index.js';

/** What to do with a request in place of passing it on: answer it, or end its connection before or after the API server has done it. A body that is text is sent as such. */
export type Misfortune = { readonly status: number; readonly headers?: Readonly<Record<string, string>>; readonly body?: unknown } | 'lost-before' | 'lost-after';

/** Plain HTTP in front of the real API server, like a load balancer that has bad days. */
export interface Between {
  readonly server: string;
  /** Of the cluster's administrator, through here. */
  readonly kubeconfig: string;
  /** The next request for which `which` is true meets this. */
  next(which: (method: string, path: string) => boolean, misfortune: Misfortune): void;
  /** What was to happen and has not. */
  forget(): void;
  /** Method and path of what was passed on. */
  readonly passed: readonly string[];
  close(): Promise<void>;
}

/** `other`: requests with the token of its administrator are its, as behind a proxy of many clusters. */
export async function between(cluster: Cluster, other?: Cluster): Promise<Between> {
  const plans: { which: (method: string, path: string) => boolean; misfortune: Misfortune }[] = [];
  const passed: string[] = [];
  const agent = new Agent({ keepAlive: true, rejectUnauthorized: false });
  const handle = (incoming: IncomingMessage, answer: ServerResponse): void => {
    const [method, path] = [incoming.method ?? '', incoming.url ?? ''];
    const at = plans.findIndex(({ which }) => which(method, path));
    const misfortune = at === -1 ? undefined : plans.splice(at, 1)[0]?.misfortune;
    if (misfortune === 'lost-before') return void incoming.socket.destroy();
    if (typeof misfortune === 'object') {
      const { status, headers, body = {} } = misfortune;
      answer.writeHead(status, { 'content-type': typeof body === 'string' ? 'text/plain' : 'application/json', ...headers }).end(typeof body === 'string' ? body : JSON.stringify(body));
      return;
    }
    passed.push(`${method} ${path}`);
    const server = other !== undefined && incoming.headers.authorization === `Bearer ${tokenIn(other.kubeconfig)}` ? other.server : cluster.server;
    const onward = request(new URL(path, server), { method, headers: { ...incoming.headers, host: new URL(server).host }, agent }, (response) => {
      if (misfortune === 'lost-after') {
        response.resume();
        response.once('end', () => incoming.socket.destroy());
        return;
      }
      answer.writeHead(response.statusCode ?? 502, response.headers);
      response.pipe(answer);
      answer.once('close', () => response.destroy());
    });
    onward.once('error', () => answer.destroy());
    incoming.pipe(onward);
  };
  const server: Server = createServer(handle);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const config = parse(readFileSync(cluster.kubeconfig, 'utf8')) as { clusters: { cluster: Record<string, unknown> }[] };
  for (const each of config.clusters) each.cluster = { server: url, 'insecure-skip-tls-verify': true };
  const kubeconfig = join(cluster.folder, 'between.yaml');
  writeFileSync(kubeconfig, stringify(config), { mode: 0o600 });
  return {
    server: url,
    kubeconfig,
    passed,
    next: (which, misfortune) => void plans.push({ which, misfortune }),
    forget: () => void plans.splice(0),
    close: () =>
      new Promise((resolve) => {
        agent.destroy();
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** The token of a kubeconfig with one user. */
export function tokenIn(kubeconfig: string): string {
  const { users } = parse(readFileSync(kubeconfig, 'utf8')) as { readonly users: readonly { readonly user: { readonly token?: string } }[] };
  return users[0]?.user.token ?? '';
}
