import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { endpointPort } from '../../../src/clients/endpoint/adapter.js';
import { Endpoints } from '../../../src/clients/endpoint/endpoints.js';
import type { EndpointPort } from '../../../src/clients/endpoint/port.js';
import type { EndpointSpec } from '../../../src/engine/world.js';
import { LiveWorld } from '../../../src/engine/world.js';
import { scopeFor } from '../lib/scope.js';

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

/** A server that answers each line with its own name. */
async function namedServer(name: string): Promise<{ readonly server: Server; readonly port: number; readonly sockets: Set<Socket> }> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => undefined);
    socket.on('data', () => socket.write(`${name}\n`));
    socket.on('end', () => socket.end('bye\n'));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanups.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { server, port: (server.address() as AddressInfo).port, sockets };
}

const spec = (to: string | null, more: Partial<EndpointSpec> = {}): EndpointSpec => ({ provision: 'forwarder', to, host: null, port: null, ...more });

interface Setting {
  readonly switches: object[];
  readonly world: LiveWorld;
  readonly endpoints: Endpoints;
  readonly port: EndpointPort;
}

async function setting(connections: Record<string, number>, opened: Record<string, EndpointSpec>): Promise<Setting> {
  const switches: object[] = [];
  const world = new LiveWorld((data, step) => Promise.resolve(switches.push({ ...data, step })));
  for (const [connection, port] of Object.entries(connections)) {
    world.apply({ type: 'connection.provisioned', data: { connection, kind: 'postgres', role: 'source', provision: 'existing', details: { host: '127.0.0.1', port } } });
  }
  const endpoints = new Endpoints();
  cleanups.push(() => endpoints.close());
  for (const [endpoint, one] of Object.entries(opened)) {
    world.apply({ type: 'endpoint.opened', data: { endpoint, to: one.to, ...(await endpoints.open(endpoint, one, world)) } });
  }
  return { switches, world, endpoints, port: endpointPort(scopeFor(), world, endpoints) };
}

/** What one new connection gets for one line; 'refused' when it is ended without an answer. */
async function askOnce(address: { host: string; port: number }): Promise<string> {
  const socket = connect(address);
  const answer = new Promise<string>((resolve) => {
    socket.once('data', (data: Buffer) => resolve(data.toString().trim()));
    socket.on('error', () => resolve('refused')).on('close', () => resolve('refused'));
  });
  socket.write('who\n');
  const said = await answer;
  socket.destroy();
  return said;
}

test('a switch is announced first, ends the old connections and leads new ones to the other server, under load', async () => {
  const [one, two] = [await namedServer('one'), await namedServer('two')];
  const { port, switches } = await setting({ one: one.port, two: two.port }, { app: spec('one') });
  const address = port.address('app');
  const old = connect(address);
  old.on('error', () => undefined).write('who\n');
  await once(old, 'data');

  const answers: string[] = [];
  let loading = true;
  const clients = Array.from({ length: 8 }, async () => {
    while (loading) answers.push(await askOnce(address));
  });
  const oldEnded = once(old, 'close');
  while (answers.length < 50) await askOnce(address);
  await port.switch('app', 'two');
  expect(switches).toEqual([{ endpoint: 'app', from: 'one', to: 'two', step: 'test' }]);
  expect(port.current('app')).toBe('two');
  await oldEnded;
  const before = answers.length;
  while (answers.length < before + 50) await askOnce(address);
  loading = false;
  await Promise.all(clients);

  const switched = answers.indexOf('two');
  // Up to one connection of each client was under way when the endpoint moved.
  expect(answers.slice(switched).filter((answer) => answer !== 'two').length).toBeLessThanOrEqual(8);
  expect(await askOnce(address)).toBe('two');
  expect(one.sockets.size).toBe(0);
});

test('both halves of a connection end on their own, and none is kept', async () => {
  const one = await namedServer('one');
  const { port } = await setting({ one: one.port }, { app: spec('one') });
  const socket = connect({ ...port.address('app'), allowHalfOpen: true });
  let text = '';
  socket.on('data', (data: Buffer) => (text += data.toString())).end('who\n');
  await once(socket, 'close');
  expect(text).toBe('one\nbye\n');
  while (one.sockets.size > 0) await new Promise((resolve) => setImmediate(resolve));
});

test('large bodies pass whole in both directions', async () => {
  const echo = createServer((socket) => void socket.pipe(socket)).listen(0, '127.0.0.1');
  await once(echo, 'listening');
  cleanups.push(() => void echo.close());
  const { port } = await setting({ echo: (echo.address() as AddressInfo).port }, { app: spec('echo') });
  const socket = connect(port.address('app'));
  const size = 20_000_000;
  let received = 0;
  const all = new Promise<void>((resolve) => socket.on('data', (data: Buffer) => (received += data.length) === size && resolve()));
  socket.write(Buffer.alloc(size, 7));
  await all;
  socket.destroy();
});

test('an endpoint that leads nowhere, or to a dead server, refuses at once', async () => {
  const dead = await namedServer('dead');
  dead.server.close();
  await once(dead.server, 'close');
  const { port } = await setting({ dead: dead.port }, { nowhere: spec(null), dead: spec('dead'), later: spec('not-provisioned') });
  for (const name of ['nowhere', 'dead', 'later']) expect(await askOnce(port.address(name))).toBe('refused');
});

test('an address that is not ours is told, and not moved', async () => {
  const one = await namedServer('one');
  const { port, switches } = await setting({ one: one.port }, { app: spec(null, { provision: 'existing', host: '127.0.0.1', port: one.port }), mine: spec('one') });
  expect(port.address('app')).toEqual({ host: '127.0.0.1', port: one.port });
  await expect(port.switch('app', 'one')).rejects.toMatchObject({ code: 'endpoint-not-ours' });
  await expect(port.switch('mine', 'nothing')).rejects.toMatchObject({ code: 'no-such-connection' });
  await expect(port.switch('other', 'one')).rejects.toMatchObject({ code: 'no-such-endpoint' });
  expect(switches).toEqual([]);
});

test('closing ends every connection and frees the address', async () => {
  const one = await namedServer('one');
  const { port, endpoints } = await setting({ one: one.port }, { app: spec('one') });
  const address = port.address('app');
  const socket = connect(address);
  socket.on('error', () => undefined).write('who\n');
  await once(socket, 'data');
  const closed = once(socket, 'close');
  await endpoints.close();
  await endpoints.close();
  await closed;
  const again = createServer().listen(address);
  await once(again, 'listening');
  again.close();
});
