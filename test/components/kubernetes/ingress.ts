import { once } from 'node:events';
import { createServer } from 'node:http';
import { systemClock } from '../../../src/engine/clock.js';
import type { Cluster, KubernetesObject } from './index.js';

/** What a pod of hollow nodes, which runs nothing, would answer. */
export interface Ingress {
  readonly host: string;
  readonly port: number;
  /** Requests answered in the name of each pod. */
  readonly answered: ReadonlyMap<string, number>;
  stop(): Promise<void>;
}

interface Endpoints extends KubernetesObject {
  readonly subsets?: readonly { readonly addresses?: readonly { readonly nodeName?: string; readonly targetRef?: { readonly name?: string } }[] }[];
}

/**
 * A stand-in for an ingress controller and the pods behind it. It follows the Endpoints of a Service and answers each request in the name
 * of one ready address after the other: 200 with the pod's name, 502 when that pod's node is stopped (nobody would answer there),
 * 503 when there is none. As a real one it goes on with what it knows while the API server is away, and tries no second address.
 */
export async function startIngress({ request, own }: Pick<Cluster, 'request' | 'own'>, namespace: string, service: string): Promise<Ingress> {
  const clock = systemClock();
  const ending = new AbortController();
  const answered = new Map<string, number>();
  let pods: readonly { readonly name: string; readonly node: string }[] = [];
  let turn = 0;
  const look = async (): Promise<void> => {
    const { subsets = [] } = await request<Endpoints>('GET', `/api/v1/namespaces/${namespace}/endpoints/${service}`);
    pods = subsets.flatMap(({ addresses = [] }) => addresses.map(({ nodeName = '', targetRef }) => ({ name: targetRef?.name ?? '', node: nodeName })));
  };
  const server = createServer((incoming, response) => {
    incoming.resume();
    response.setHeader('connection', 'close');
    const pod = pods[(turn += 1) % Math.max(pods.length, 1)];
    if (pod === undefined) response.writeHead(503).end('no endpoints\n');
    else if (own?.nodes.running(pod.node) === false) response.writeHead(502).end(`${pod.name} does not answer\n`);
    else {
      answered.set(pod.name, (answered.get(pod.name) ?? 0) + 1);
      response.writeHead(200).end(`${pod.name}\n`);
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const loop = (async () => {
    while (!ending.signal.aborted) {
      await look().catch(() => undefined);
      await clock.sleep(100, ending.signal).catch(() => undefined);
    }
  })();
  return {
    host: '127.0.0.1',
    port: address.port,
    answered,
    async stop() {
      ending.abort();
      await loop;
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
