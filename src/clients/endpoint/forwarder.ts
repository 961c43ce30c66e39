import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net';

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** A TCP address of ours that leads to another one. While it leads nowhere, connections are closed at once. */
export interface Forwarder extends Address {
  /** Sends new connections to `to` and ends those that go elsewhere. */
  lead(to: Address | null): void;
  /** Ends every connection and stops listening. Safe to call twice. */
  close(): Promise<void>;
}

/** Listens on 127.0.0.1, or `host`; port 0 takes a free one. Rejects when the address cannot be had. */
export async function openForwarder(address: Partial<Address>, to: Address | null): Promise<Forwarder> {
  const clients = new Set<Socket>();
  let target = to;
  const endClients = (): void => {
    for (const client of clients) client.destroy();
    clients.clear();
  };
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    if (target === null) {
      client.on('error', () => undefined).destroy();
      return;
    }
    clients.add(client);
    client.once('close', () => clients.delete(client));
    join(client, connect({ ...target, allowHalfOpen: true, noDelay: true }));
  });
  const { host, port } = await listen(server, address);
  return {
    host,
    port,
    lead(next) {
      const same = next?.host === target?.host && next?.port === target?.port;
      target = next;
      if (!same) endClients();
    },
    async close() {
      const closed = server.listening ? new Promise<void>((resolve) => server.close(() => resolve())) : undefined;
      endClients();
      await closed;
    },
  };
}

/** `pipe` passes on what each side says, its end and its pace; an error or a close of one side closes the other. */
function join(client: Socket, upstream: Socket): void {
  client.pipe(upstream);
  upstream.pipe(client);
  for (const [one, other] of [[client, upstream], [upstream, client]] as const) {
    one.on('error', () => other.destroy());
    one.on('close', () => other.destroy());
  }
}

function listen(server: Server, { host = '127.0.0.1', port = 0 }: Partial<Address>): Promise<Address> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port }, () => {
      server.removeListener('error', reject);
      const bound: AddressInfo | string | null = server.address();
      if (bound === null || typeof bound === 'string') reject(new Error(`${host}:${port} is no TCP address`));
      else resolve({ host: bound.address, port: bound.port });
    });
  });
}
