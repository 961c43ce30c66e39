import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import { StepError } from '../../../engine/errors.js';

/** Below the range from which systems give ports to outgoing connections: a place may wait long for its server. */
const range = { from: 20_000, to: 32_000 } as const;
const given = new Set<number>();

/** A port of 127.0.0.1 that is free now and was not given before by this process. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < 200; tries += 1) {
    const port = randomInt(range.from, range.to);
    if (given.has(port) || !(await isFree(port))) continue;
    given.add(port);
    return port;
  }
  throw new StepError('no-free-port', `no free port of 127.0.0.1 found between ${range.from} and ${range.to}`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ host: '127.0.0.1', port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
