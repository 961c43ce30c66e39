import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import type { Cluster } from './index.js';

/** A program for the runbooks that lose a zone: `<file> stop ZONE` and `<file> start ZONE`. */
export interface NodePower {
  readonly file: string;
  stop(): Promise<void>;
}

/** A stand-in for what stops the machines of a zone, elsewhere the cloud's API: here hollow nodes of the test process. */
export async function serveNodePower({ own, nodes, folder }: Pick<Cluster, 'own' | 'nodes' | 'folder'>): Promise<NodePower> {
  if (own === null) throw new Error('the nodes of other clusters are not ours to stop');
  const server = createServer((request, response) => {
    const [, action, zone = ''] = (request.url ?? '').split('/');
    const names = nodes.filter((node) => node.zone === decodeURIComponent(zone)).map(({ name }) => name);
    const stopped = names.filter((name) => !own.nodes.running(name));
    const done = action === 'stop' ? own.nodes.stop(...names) : own.nodes.start(...stopped);
    done.then(
      () => response.end(`${names.join(' ')}\n`),
      (error: unknown) => response.writeHead(500).end(String(error)),
    );
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const file = join(folder, 'node-power');
  const script = `#!${process.execPath}
const [action, zone] = process.argv.slice(2);
fetch('http://127.0.0.1:${address.port}/' + action + '/' + encodeURIComponent(zone)).then(async (response) => {
  console.log(await response.text());
  process.exitCode = response.ok ? 0 : 1;
});
`;
  writeFileSync(file, script, { mode: 0o755 });
  return {
    file,
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
