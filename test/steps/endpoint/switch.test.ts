import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { Endpoints } from '../../../src/clients/endpoint/endpoints.js';
import { LiveWorld } from '../../../src/engine/world.js';
import { step } from '../../../src/steps/endpoint/switch.js';
import { contextFor } from '../lib/context.js';

test('leads clients to the other server and says where they came from', async () => {
  const server = createServer((socket) => socket.end('copy')).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const world = new LiveWorld();
  const endpoints = new Endpoints();
  try {
    world.apply({ type: 'connection.provisioned', data: { connection: 'copy', kind: 'postgres', role: 'target', provision: 'restored-postgres', details: { host: '127.0.0.1', port: (server.address() as AddressInfo).port } } });
    const address = await endpoints.open('app', { provision: 'forwarder', to: null, host: null, port: null }, world);
    world.apply({ type: 'endpoint.opened', data: { endpoint: 'app', to: null, ...address } });
    expect(await step.run({ endpoint: 'app', to: 'copy' }, contextFor({ world, endpoints }))).toEqual({ from: null, to: 'copy' });
    const client = connect(address);
    const [data] = (await once(client, 'data')) as [Buffer];
    expect(data.toString()).toBe('copy');
    client.destroy();
  } finally {
    await endpoints.close();
    server.close();
  }
});
