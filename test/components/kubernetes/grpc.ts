import { once } from 'node:events';
import { createServer, type ServerHttp2Stream } from 'node:http2';

/** Answers the body of one unary call; what it throws becomes the call's status. */
export type Method = (message: Buffer) => Buffer | Promise<Buffer>;

/** Serves unary gRPC calls, by their path, at a socket in the file system. */
export async function serveGrpc(socket: string, methods: Readonly<Record<string, Method>>): Promise<{ close(): Promise<void> }> {
  const server = createServer();
  const sessions = new Set<{ destroy(): void }>();
  server.on('session', (session) => {
    sessions.add(session);
    session.on('close', () => sessions.delete(session)).on('error', () => session.destroy());
  });
  server.on('stream', (stream, headers) => {
    stream.on('error', () => undefined);
    void answer(stream, String(headers[':path']), methods);
  });
  server.listen(socket);
  await once(server, 'listening');
  return {
    async close() {
      for (const session of sessions) session.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

async function answer(stream: ServerHttp2Stream, path: string, methods: Readonly<Record<string, Method>>): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  const method = methods[path];
  let reply = Buffer.alloc(0);
  let status = { 'grpc-status': '0', 'grpc-message': '' };
  try {
    if (method === undefined) status = { 'grpc-status': '12', 'grpc-message': `${path} is not implemented` };
    // A message follows a byte for its compression and four for its length.
    else reply = Buffer.from(await method(Buffer.concat(chunks).subarray(5)));
  } catch (error) {
    status = { 'grpc-status': '2', 'grpc-message': encodeURIComponent(error instanceof Error ? error.message : String(error)) };
  }
  if (stream.destroyed) return;
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers(status));
  const head = Buffer.alloc(5);
  head.writeUInt32BE(reply.length, 1);
  stream.end(status['grpc-status'] === '0' ? Buffer.concat([head, reply]) : undefined);
}

/** Protocol buffers: a field with a length (string or message). */
export function field(number: number, value: string | Buffer): Buffer {
  const bytes = typeof value === 'string' ? Buffer.from(value) : value;
  return Buffer.concat([varint(number * 8 + 2), varint(bytes.length), bytes]);
}

/** Protocol buffers: a field that holds a whole number. */
export function numberField(number: number, value: number): Buffer {
  return Buffer.concat([varint(number * 8), varint(value)]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (; value > 127; value = Math.floor(value / 128)) bytes.push((value % 128) + 128);
  return Buffer.from([...bytes, value]);
}
