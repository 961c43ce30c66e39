import { lookup } from 'node:dns/promises';
import { connect, isIP } from 'node:net';
import { messageOf } from '../../engine/errors.js';
import { codeOf } from '../../engine/guard/paths.js';
import { hostPort } from '../../engine/guard/hosts.js';
import type { Scope } from '../../engine/scope.js';
import type { Reached, ReachPort } from './port.js';

/** Somebody answered. */
const answered = new Set<unknown>(['ECONNREFUSED', 'ECONNRESET']);
/**
 * The way there is closed. EINVAL is what connect(2) gives for a `blackhole` route, EACCES for `prohibit`, EPERM for a packet
 * filter of this host (ip-route(8), connect(2)).
 */
const closed = new Set<unknown>(['ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'EHOSTDOWN', 'ENETDOWN', 'EINVAL', 'EACCES', 'EPERM']);

/** From where this process runs, on behalf of `scope`. */
export function reachPort(scope: Scope): ReachPort {
  return {
    async tcp(host, port, timeoutMs) {
      const addresses = await addressesOf(host);
      if (!Array.isArray(addresses)) return addresses;
      const tried: Reached[] = [];
      for (const address of addresses) {
        await scope.access({ kind: 'tcp', host, port, address }, 'read');
        const reached = await attempt(address, port, timeoutMs, scope.signal);
        scope.signal.throwIfAborted();
        if (reached.found === 'connected' || reached.found === 'refused') return reached;
        tried.push(reached);
      }
      const detail = tried.map((each) => each.detail).join('; ');
      return { found: tried.some(({ found }) => found === 'could-not-run') ? 'could-not-run' : 'unreachable', detail };
    },
  };
}

async function addressesOf(host: string): Promise<string[] | Reached> {
  const bare = host.replace(/^\[|\]$/g, '');
  if (isIP(bare) !== 0) return [bare];
  try {
    return [...new Set((await lookup(bare, { all: true })).map(({ address }) => address))];
  } catch (error) {
    return { found: 'could-not-run', detail: `${host} has no address: ${messageOf(error)}` };
  }
}

function attempt(address: string, port: number, timeoutMs: number, signal: AbortSignal): Promise<Reached> {
  return new Promise((resolve) => {
    const where = hostPort(address, port);
    const socket = connect({ host: address, port });
    const end = (found: Reached['found'], what: string): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
      socket.destroy();
      resolve({ found, detail: `${where}: ${what}` });
    };
    const abort = (): void => end('could-not-run', 'stopped');
    const timer = setTimeout(() => end('unreachable', `no answer within ${timeoutMs} ms`), timeoutMs);
    signal.addEventListener('abort', abort, { once: true });
    socket.once('connect', () => end('connected', 'the connection was accepted'));
    socket.once('error', (error) => {
      const code = codeOf(error);
      if (answered.has(code)) end('refused', `answered with ${String(code)}, so packets get there`);
      else if (closed.has(code)) end('unreachable', String(code));
      else end('could-not-run', messageOf(error));
    });
  });
}
