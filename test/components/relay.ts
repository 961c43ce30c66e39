import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** A way through which connections go, and which can be cut. */
export interface Relay {
  /** How many have come through. */
  readonly connections: () => number;
  /** From now on connections are refused, and those that are there end. */
  cut(): Promise<void>;
  mend(): Promise<void>;
  stop(): Promise<void>;
}

/** From 127.0.0.1:`port` to 127.0.0.1:`to`. */
export async function startRelay(port: number, to: number): Promise<Relay> {
  const sockets = new Set<Socket>();
  let server: Server | undefined;
  let connections = 0;
  const mend = async (): Promise<void> => {
    server = createServer((near) => {
      connections += 1;
      const far = connect(to, '127.0.0.1');
      for (const [socket, other] of [[near, far], [far, near]] as const) {
        sockets.add(socket);
        socket.on('error', () => other.destroy());
        socket.on('close', () => {
          sockets.delete(socket);
          other.destroy();
        });
      }
      near.pipe(far).pipe(near);
    }).listen(port, '127.0.0.1');
    await once(server, 'listening');
  };
  const cut = async (): Promise<void> => {
    const ending = server;
    server = undefined;
    if (ending === undefined) return;
    const closed = once(ending, 'close');
    ending.close();
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  await mend();
  return { connections: () => connections, cut, mend, stop: cut };
}
