import { once } from 'node:events';
import { createServer, request, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import { buffer } from 'node:stream/consumers';

/** A call of an AWS query API, as it came in. */
export interface AwsRequest {
  /** `DescribeVolumes`; '' where the protocol says it elsewhere. */
  readonly action: string;
  readonly form: URLSearchParams;
  /** The header X-Amz-Target, where the protocol is JSON; else ''. */
  readonly target: string;
  /** Without the query. */
  readonly method: string;
  readonly path: string;
  readonly body: string;
}

export interface AwsAnswer {
  readonly status: number;
  readonly body: string;
  /** Content type; default text/xml. */
  readonly type?: string;
  /** Others that AWS gave: what S3 says of an object, and an answer without a body how long it would be. */
  readonly headers?: OutgoingHttpHeaders;
}

/** Undefined: as AWS answers it. */
export type Meddle = (asked: AwsRequest, answer: () => Promise<AwsAnswer>) => Promise<AwsAnswer | undefined> | AwsAnswer | undefined;

export interface AwsProxy {
  readonly endpoint: string;
  /** What becomes of each call from now on. */
  meddle(how: Meddle | undefined): void;
  /** Actions that came through, in order. */
  readonly seen: string[];
  stop(): Promise<void>;
}

/** Stands in front of moto, and may answer in its place: what AWS does and moto never does. */
export async function startAwsProxy(target: string): Promise<AwsProxy> {
  let how: Meddle | undefined;
  const seen: string[] = [];
  const { hostname, port } = new URL(target);
  const ask = async (incoming: IncomingMessage, body: Buffer): Promise<AwsAnswer> => {
    const outgoing = request({ hostname, port, method: incoming.method, path: incoming.url, headers: incoming.headers, agent: false });
    outgoing.end(body);
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
    const { 'content-type': type = 'text/xml', 'content-length': length, 'transfer-encoding': _encoding, connection: _connection, ...others } = response.headers;
    const headers = incoming.method === 'HEAD' && length !== undefined ? { ...others, 'content-length': length } : others;
    return { status: response.statusCode ?? 500, body: (await buffer(response)).toString(), type, headers };
  };
  const server = createServer((incoming, outgoing) => {
    const answer = async (): Promise<void> => {
      const body = await buffer(incoming);
      const form = new URLSearchParams(body.toString());
      const action = form.get('Action') ?? '';
      if (action !== '') seen.push(action);
      const instead = await how?.({ action, form, target: String(incoming.headers['x-amz-target'] ?? ''), method: incoming.method ?? '', path: incoming.url?.replace(/\?.*/s, '') ?? '', body: body.toString() }, () => ask(incoming, body));
      const { status, body: text, type = 'text/xml', headers } = instead ?? (await ask(incoming, body));
      outgoing.writeHead(status, { ...headers, 'content-type': type }).end(text);
    };
    answer().catch((error: unknown) => outgoing.writeHead(502).end(String(error)));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    endpoint: `http://127.0.0.1:${address.port}`,
    seen,
    meddle: (next) => {
      how = next;
    },
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** An error as EC2 says it. */
export function ec2Error(code: string, message: string, status = 400): AwsAnswer {
  return { status, body: `<?xml version="1.0" encoding="UTF-8"?><Response><Errors><Error><Code>${code}</Code><Message>${message}</Message></Error></Errors><RequestID>00000000-0000-0000-0000-000000000000</RequestID></Response>` };
}
