import { createServer, type AddressInfo, type Server } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { reachPort } from '../../../src/clients/reach/adapter.js';
import { createGuard } from '../../../src/engine/guard.js';
import { checkIsolation, reachedForbidden } from '../../../src/engine/isolation.js';
import { requireComponent } from '../../components/index.js';
import { scopeFor } from '../lib/scope.js';
import { ip, routesMissing } from './lib.js';

const policy = { hosts: ['127.0.0.1', 'nowhere.invalid'], directories: [], commands: [], ownDirectories: [], protectedDirectories: [], runbookDir: '/', ownPrograms: [], path: '', connections: () => [], endpoints: () => [] };
const reach = (forbidden: readonly string[] = []) => reachPort(scopeFor(createGuard({ ...policy, forbidden })));

let server: Server;
let open: number;
let shut: number;
let bytes = 0;

async function listening(): Promise<Server> {
  const made = createServer((client) => client.on('data', (chunk) => void (bytes += chunk.length)));
  await new Promise<void>((resolve) => made.listen({ host: '127.0.0.1', port: 0 }, resolve));
  return made;
}
const portOf = (made: Server) => (made.address() as AddressInfo).port;

beforeAll(async () => {
  server = await listening();
  open = portOf(server);
  const other = await listening();
  shut = portOf(other);
  await new Promise((resolve) => other.close(resolve));
});
afterAll(() => void server.close());

describe('an attempt to connect', () => {
  it('says who answered, sends nothing, and tells a refusal from silence', async () => {
    expect(await reach().tcp('127.0.0.1', open, 2_000)).toMatchObject({ found: 'connected' });
    expect(await reach().tcp('127.0.0.1', shut, 2_000)).toEqual({ found: 'refused', detail: `127.0.0.1:${shut}: answered with ECONNREFUSED, so packets get there` });
    expect(bytes).toBe(0);
  });

  it('proves nothing where a name has no address', async () => {
    expect(await reach().tcp('nowhere.invalid', 5432, 2_000)).toMatchObject({ found: 'could-not-run' });
  });

  it('goes where the guard lets it, and to what is forbidden only by its own name and port', async () => {
    await expect(reach().tcp('192.0.2.1', 5432, 2_000)).rejects.toThrow('outside the boundary');
    await expect(reach(['192.0.2.1:5433']).tcp('192.0.2.1', 5432, 2_000)).rejects.toThrow('outside the boundary');
  });
});

describe('the check of isolation', () => {
  const allowed = () => [{ name: 'endpoint app', host: '127.0.0.1', port: open }];
  const check = (forbidden: string[], more: Partial<Parameters<typeof checkIsolation>[0]> = {}) =>
    checkIsolation({ when: 'before', from: 'here', forbidden, allowed: allowed(), connect: (host, port) => reach(forbidden).tcp(host, port, 1_000), ...more });

  it('counts as reached what accepts a connection and what refuses it', async () => {
    const found = await check([`127.0.0.1:${open}`, `127.0.0.1:${shut}`]);
    expect(found.checks.map((one) => one.found)).toEqual(['reachable', 'reachable', 'reachable']);
    expect(reachedForbidden(found)).toHaveLength(2);
  });

  it('cannot run without an address, nor for a workload that is elsewhere', async () => {
    expect((await check(['nowhere.invalid:5432'])).checks[0]).toMatchObject({ expected: 'unreachable', found: 'could-not-run' });
    expect((await check(['127.0.0.1:1'], { cannot: 'it runs elsewhere' })).checks).toEqual([{ target: '127.0.0.1:1', expected: 'unreachable', found: 'could-not-run', detail: 'it runs elsewhere' }]);
  });

  it('takes the first allowed address that answers, and tells of all when none does', async () => {
    const silent = { name: 'endpoint old', host: '127.0.0.1', port: shut };
    expect((await check([], { allowed: [silent, ...allowed()] })).checks.map(({ target, found }) => `${target} ${found}`)).toEqual(['endpoint app reachable']);
    expect((await check([], { allowed: [silent] })).checks.map(({ target, found }) => `${target} ${found}`)).toEqual(['endpoint old unreachable']);
  });
});

const withRoutes = await requireComponent({ name: 'routes of our own', obtain: async () => routesMissing() });
withRoutes('a network that leads nowhere', () => {
  const routes = [['blackhole', '127.77.1.1/32'], ['prohibit', '127.77.1.2/32'], ['unreachable', '127.77.1.3/32']] as const;
  beforeAll(() => routes.forEach(([kind, where]) => ip('route', 'replace', kind, where, 'table', 'local')));
  afterAll(() => routes.forEach(([kind, where]) => ip('route', 'del', kind, where, 'table', 'local')));

  it.each(routes)('is unreachable by a %s route', async (_, where) => {
    const host = where.slice(0, -3);
    expect(await reach([`${host}:5432`]).tcp(host, 5432, 2_000)).toMatchObject({ found: 'unreachable' });
  });
});
