import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** What a service proxy does on every node: an address that leads to one of the pods that are ready now. */
export class ServiceProxy {
  readonly #server: Server;
  readonly #clients = new Set<Socket>();
  #next = 0;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** `ports`: of the pods that new connections may go to, asked for each connection. Without one, a connection is refused. */
  static async open(port: number, ports: () => readonly number[]): Promise<ServiceProxy> {
    const server = createServer({ noDelay: true, allowHalfOpen: true });
    const proxy = new ServiceProxy(server);
    server.on('connection', (client) => proxy.#join(client, ports()));
    server.listen({ host: '127.0.0.1', port });
    await once(server, 'listening');
    return proxy;
  }

  #join(client: Socket, ports: readonly number[]): void {
    const port = ports[(this.#next += 1) % Math.max(ports.length, 1)];
    if (port === undefined) {
      client.on('error', () => undefined).resetAndDestroy();
      return;
    }
    this.#clients.add(client);
    client.once('close', () => this.#clients.delete(client));
    const pod = connect({ host: '127.0.0.1', port, noDelay: true, allowHalfOpen: true });
    client.pipe(pod);
    pod.pipe(client);
    for (const [one, other] of [[client, pod], [pod, client]] as const) {
      one.on('error', () => other.destroy());
      one.on('close', () => other.destroy());
    }
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const client of this.#clients) client.destroy();
    await closed;
  }
}
