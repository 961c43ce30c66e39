import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import type { Cluster } from './index.js';

/** A stand-in for the part of a kubelet that hollow nodes lack: it "runs" commands in containers, on this machine, and has a log. */
export interface StandInKubelet {
  readonly node: string;
  /** Makes a pod on it, which the API server takes to run. */
  pod(namespace: string, name: string): Promise<void>;
  stop(): Promise<void>;
}

const channels = { stdout: 1, stderr: 2, status: 3 } as const;

/** Where the API server finds it: to be written into the status of the nodes that it stands in for. */
export interface KubeletServer {
  readonly status: Readonly<Record<string, unknown>>;
  close(): Promise<void>;
}

/** `environmentOf`: what a pod's containers have in theirs. */
export async function serveKubelet(cluster: Cluster, log: string, environmentOf: (namespace: string, pod: string) => Promise<NodeJS.ProcessEnv> = async () => ({})): Promise<KubeletServer> {
  const certificate = (ending: string) => readFileSync(join(cluster.folder, `certificates/apiserver.${ending}`));
  const sockets = new Set<Duplex>();
  const server = createServer({ cert: certificate('crt'), key: certificate('key') }, (request, response) => {
    if (request.url?.startsWith('/containerLogs/') === true) response.end(log);
    else response.writeHead(404).end();
  });
  server.on('connection', (socket) => void sockets.add(socket));
  server.on('upgrade', (request, socket) => {
    const url = new URL(request.url ?? '', 'https://kubelet');
    const key = String(request.headers['sec-websocket-key']);
    const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\nSec-WebSocket-Protocol: v4.channel.k8s.io\r\n\r\n`);
    const [, , namespace = '', pod = ''] = url.pathname.split('/');
    environmentOf(namespace, pod).then(
      (environment) => runCommand(socket, url.searchParams.getAll('command'), environment),
      () => socket.destroy(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    status: { addresses: [{ type: 'InternalIP', address: '127.0.0.1' }], daemonEndpoints: { kubeletEndpoint: { Port: (server.address() as AddressInfo).port } } },
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => void server.close(() => resolve()));
    },
  };
}

/** A node of its own in `cluster`; what its containers log is `log`. */
export async function startStandInKubelet(cluster: Cluster, log: string): Promise<StandInKubelet> {
  const served = await serveKubelet(cluster, log);
  const node = 'stand-in';
  await cluster.request('POST', '/api/v1/nodes', { metadata: { name: node }, spec: { unschedulable: true } });
  const status = { ...served.status, conditions: [{ type: 'Ready', status: 'True' }] };
  await cluster.request('PATCH', `/api/v1/nodes/${node}/status`, { status });
  return {
    node,
    async pod(namespace, name) {
      const path = `/api/v1/namespaces/${namespace}/pods`;
      await cluster.request('POST', path, { metadata: { name, labels: { app: name } }, spec: { nodeName: node, terminationGracePeriodSeconds: 0, tolerations: [{ operator: 'Exists' }], containers: [{ name: 'app', image: 'registry.invalid/app:1' }] } });
      await cluster.request('PATCH', `${path}/${name}/status`, { status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] } });
    },
    async stop() {
      await served.close();
      await cluster.request('DELETE', `/api/v1/nodes/${node}`);
    },
  };
}

function runCommand(socket: Duplex, [program = '', ...args]: readonly string[], environment: NodeJS.ProcessEnv): void {
  const send = (channel: number, data: Buffer | string) => socket.write(frame(Buffer.concat([Buffer.from([channel]), Buffer.from(data)])));
  const end = (status: unknown) => {
    send(channels.status, JSON.stringify(status));
    socket.end(Buffer.from([0x88, 0]));
  };
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: process.env['PATH'], ...environment } });
  child.stdout.on('data', (data: Buffer) => send(channels.stdout, data));
  child.stderr.on('data', (data: Buffer) => send(channels.stderr, data));
  child.once('error', (error) => end({ status: 'Failure', reason: 'InternalError', message: `error executing command in container: ${error.message}` }));
  child.once('close', (code) => {
    if (code === 0) end({ status: 'Success' });
    else if (child.pid !== undefined) end({ status: 'Failure', reason: 'NonZeroExitCode', message: `command terminated with exit code ${code}`, details: { causes: [{ reason: 'ExitCode', message: String(code) }] } });
  });
  socket.once('close', () => child.kill());
  socket.on('error', () => child.kill());
  socket.resume();
}

/** One unmasked binary frame of a websocket. */
function frame(payload: Buffer): Buffer {
  const { length } = payload;
  const head = length < 126 ? Buffer.from([0x82, length]) : length < 65_536 ? Buffer.from([0x82, 126, length >> 8, length & 255]) : Buffer.alloc(10);
  if (head.length === 10) {
    head.writeUInt16BE(0x827f, 0);
    head.writeBigUInt64BE(BigInt(length), 2);
  }
  return Buffer.concat([head, payload]);
}
