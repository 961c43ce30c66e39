import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, realpathSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Effect, Ports } from '../../src/engine/define-step.js';
import { GuardError } from '../../src/engine/errors.js';
import { createGuard } from '../../src/engine/guard.js';
import { guardPolicy } from '../../src/engine/guard/policy.js';
import { LiveWorld } from '../../src/engine/world.js';
import { reachPort } from '../../src/clients/reach/adapter.js';
import { realPorts } from '../steps/lib/context.js';
import { scopeFor } from './lib/scope.js';

/**
 * Ways out of the boundary through the real adapters. A server that must see no connection stands where they lead, files that
 * must not change, and programs that leave a trace when they run.
 */
const root = realpathSync(mkdtempSync(join(tmpdir(), 'muster-boundary-')));
const at = (...names: string[]): string => join(root, ...names);
const program = `#!/bin/sh\necho ran >> ${at('traces/ran')}\n`;

let canaries: readonly Server[];
let connections = 0;
/** Where nothing of the environment is; and where production is, which may be read. */
let port: number;
let productionPort: number;
let ports: Ports;
const signal = new AbortController().signal;

function tree(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => `${path} ${statSync(path, { throwIfNoEntry: false })?.isFile() === true ? readFileSync(path, 'utf8') : ''}`)
    .toSorted();
}
let untouched: string[];

async function canary(): Promise<Server> {
  const server = createServer((client) => {
    connections += 1;
    client.destroy();
  });
  await new Promise<void>((resolve) => server.listen({ host: '::', port: 0 }, resolve));
  return server;
}

beforeAll(async () => {
  for (const folder of ['allowed', 'outside/bin', 'prod/data', 'prod/wal', 'prod/base', 'traces', 'bin', 'state/other', 'state/run/work', 'evidence', 'runbooks']) mkdirSync(at(folder), { recursive: true });
  for (const file of ['bin/tool', 'outside/bin/tool', 'outside/bin/leak']) {
    writeFileSync(at(file), program);
    chmodSync(at(file), 0o755);
  }
  for (const file of ['outside/file', 'prod/data/PG_VERSION', 'prod/wal/000000010000000000000001', 'state/other/journal.jsonl', 'state/run/journal.jsonl', 'evidence/drill.json', 'runbooks/a.yaml', 'runbooks/leak.sh']) writeFileSync(at(file), 'as it was');
  symlinkSync(at('outside'), at('allowed/out'));
  symlinkSync(at('outside/new'), at('allowed/dangling'));
  symlinkSync(at('prod/data'), at('allowed/prod'));
  symlinkSync(at('outside/bin/leak'), at('allowed/tool'));
  symlinkSync(at('state/other'), at('state/run/work/other'));
  canaries = await Promise.all([canary(), canary()]);
  [port = 0, productionPort = 0] = canaries.map((server) => (server.address() as AddressInfo).port);

  const world = new LiveWorld();
  const postgres = { database: 'app', user: 'postgres' };
  const provisioned = (connection: string, kind: string, role: 'production' | 'source' | 'target', details: Record<string, unknown>) => world.apply({ type: 'connection.provisioned', data: { connection, kind, role, provision: 'x', details } });
  const local = (dataDir: string) => ({ local: { binDir: at('bin'), dataDir, logFile: at('traces/server.log'), version: '18', uid: null, gid: null, settings: {} } });
  provisioned('prod', 'postgres', 'production', { ...postgres, host: '127.0.0.1', port: productionPort, ...local(at('prod/data')) });
  provisioned('prod-backups', 'postgres-backups', 'production', { provider: 'directory', path: at('prod'), uid: null, gid: null });
  provisioned('source', 'postgres', 'source', { ...postgres, host: '127.0.0.1', port: 1, ...local(at('allowed/data')) });
  // A place that somebody has put over production's.
  provisioned('copy', 'postgres', 'target', { ...postgres, host: '127.0.0.1', port: 2, ...local(at('prod/data')) });
  provisioned('beside', 'postgres', 'target', { ...postgres, host: '127.0.0.1', port: 2, ...local(at('allowed/prod/nested')) });
  // Details that a provisioner or a step's output has got wrong.
  for (const [name, details] of Object.entries({
    'two-hosts': { host: `127.0.0.1,localhost` }, keyword: { host: `127.0.0.1 hostaddr=127.0.0.1` }, 'in-mapped': { host: '::ffff:127.0.0.1' }, 'in-decimal': { host: '2130706433' }, 'in-hex': { host: '0x7f000001' },
    'in-short': { host: '127.1' }, v6: { host: '::1' }, any: { host: '0.0.0.0' }, name: { host: 'localhost' }, dotted: { host: 'localhost.' }, capitals: { host: 'LOCALHOST' }, own: { host: hostname() }, other: { host: '127.8.8.8' }, empty: { host: '' }, socket: { host: at('outside') }, uri: { host: `postgres://127.0.0.1:${String(port)}` },
  })) {
    provisioned(name, 'postgres', 'source', { ...postgres, port, ...details });
  }
  world.apply({ type: 'endpoint.opened', data: { endpoint: 'live', host: '127.0.0.1', port: productionPort, to: 'prod' } });
  const environment = {
    connections: Object.fromEntries(['prod', 'prod-backups', 'source', 'copy', 'beside'].map((name) => [name, { kind: '', role: world.connections.get(name)?.role ?? 'source', provision: '', with: {}, does: '' }])),
    endpoints: { live: { provision: 'existing' as const, to: 'prod', host: '127.0.0.1', port: productionPort }, app: { provision: 'forwarder' as const, to: 'source', host: null, port: null } },
    boundary: { hosts: ['127.0.0.1:1', 'localhost:1', 'db.internal'], directories: [at('allowed')], commands: [at('bin/tool')] },
    forbidden: [`192.0.2.7:${port}`],
  };
  const guard = createGuard(guardPolicy({ environment, world, ownDirectories: [at('state/run/work')], protectedDirectories: [at('state'), at('evidence')], runbookDir: at('runbooks'), path: at('bin') }));
  ports = realPorts({ scope: scopeFor(guard), world });
  untouched = ['outside', 'prod', 'state', 'evidence', 'runbooks', 'allowed'].flatMap((folder) => tree(at(folder)));
  reach = (host, of) => reachPort(scopeFor(guard)).tcp(host, of, 500);
});
afterAll(() => {
  for (const server of canaries) server.close();
  rmSync(root, { recursive: true, force: true });
});
let reach: (host: string, port: number) => Promise<unknown>;

const url = (text: string) => text.replaceAll('PRODUCTION', String(productionPort)).replaceAll('PORT', String(port));
const get = (text: string, more: object = {}) => () => ports.http.request({ url: url(text), ...more }, signal);
const post = (text: string) => get(text, { method: 'POST', body: 'x' });
const sql = (connection: string, effect: Effect = 'modify') => async () => {
  const session = await ports.postgres.connect({ connection }, { effect, connectTimeoutMs: 500 });
  await session.query('CREATE TABLE leak ()');
};
const run = (argv: [string, ...string[]], more: object = {}) => () => ports.process.run(argv, { effect: 'read', ...more }, signal);
const inherited = { PGHOST: '127.0.0.1', PGSERVICE: 'prod', PGSERVICEFILE: '/x', PGHOSTADDR: '127.0.0.1' };

const ways: readonly (readonly [string, () => Promise<unknown>])[] = [
  // Connections by HTTP
  ['GET of a host that is not listed', get('http://127.0.0.2:PORT/')],
  ['GET of a name that leads to loopback', get('http://localhost:PORT/')],
  ['GET of an address in one number', get('http://2130706434:PORT/')],
  ['GET of an address in hex', get('http://0x7f000002:PORT/')],
  ['GET of an address in octal', get('http://0177.0.0.2:PORT/')],
  ['GET of an address mapped into IPv6', get('http://[::ffff:127.0.0.2]:PORT/')],
  ['GET of IPv6 loopback', get('http://[::1]:PORT/')],
  ['GET of the unspecified address', get('http://0.0.0.0:PORT/')],
  ['GET with a listed name as user', get('http://db.internal@127.0.0.2:PORT/')],
  ['GET with a backslash', get('http://127.0.0.2:PORT\\@db.internal/')],
  ['GET with full-width digits', get('http://１２７.0.0.2:PORT/')],
  ['GET under this machine’s own name', get(`http://${hostname()}:PORT/`)],
  ['GET with a listed name as Host', get('http://127.0.0.2:PORT/', { headers: { host: 'db.internal' } })],
  ['another scheme', get(`file://${root}/outside/file`)],
  ['POST to production', post('http://127.0.0.1:PRODUCTION/')],
  ['POST to production under another loopback address', post('http://127.0.0.9:PRODUCTION/')],
  ['PUT to production under another spelling', get('http://127.1:PRODUCTION/', { method: 'put' })],
  // Connections to PostgreSQL
  ['two hosts in one', sql('two-hosts')],
  ['a keyword in a host', sql('keyword')],
  ['a host mapped into IPv6', sql('in-mapped')],
  ['a host as one number', sql('in-decimal')],
  ['a host in hex', sql('in-hex')],
  ['a host in short', sql('in-short')],
  ['IPv6 loopback', sql('v6')],
  ['the unspecified address', sql('any')],
  ['a name that resolves elsewhere', sql('name')],
  ['the same with a dot', sql('dotted')],
  ['the same in capitals', sql('capitals')],
  ['this machine’s own name', sql('own')],
  ['another loopback address', sql('other')],
  ['an empty host, which libraries fill from PGHOST', sql('empty')],
  ['a socket elsewhere', sql('socket')],
  ['a URI as host', sql('uri')],
  ['a read under the name of a source', sql('other', 'read')],
  // Moving clients, starting and placing servers
  ['starting the server of production', () => ports.postgres.local('prod').start({ wait: 'accepting', timeoutMs: 500 })],
  ['stopping the server of production', () => ports.postgres.local('prod').stop('immediate')],
  ['a backup into the repository of production', () => ports.postgres.repository('prod-backups').backup('source', signal)],
  ['archiving into the repository of production', async () => (await ports.postgres.repository('prod-backups').archiving({ host: '127.0.0.1', port: 1, database: 'app', user: 'x' })).begin(signal)],
  // Connect-only checks
  ['a look at what is not forbidden by its own port', () => reach('127.0.0.2', port + 1)],
  ['a look at another spelling of it', () => reach('127.0.0.3', port)],
  // Files
  ['a file elsewhere', () => ports.files.write(at('outside/new'), 'x')],
  ['dots', () => ports.files.write(`${at('allowed')}/../outside/file`, 'x', { replace: true })],
  ['a symlinked folder', () => ports.files.write(at('allowed/out/file'), 'x', { replace: true })],
  ['a dangling symlink', () => ports.files.write(at('allowed/dangling'), 'x')],
  ['dots after a symlink', () => ports.files.write(`${at('allowed')}/out/../../outside/file`, 'x', { replace: true })],
  ['the files of production', () => ports.files.write(at('prod/data/PG_VERSION'), 'x', { replace: true })],
  ['the files of production behind a symlink', () => ports.files.remove(`${at('allowed/prod')}/PG_VERSION`)],
  ['the archive of production', () => ports.files.remove(at('prod/wal/000000010000000000000001'))],
  ['the folder that holds production', () => ports.files.remove(at('prod'))],
  ['everything', () => ports.files.remove(root)],
  ['reading elsewhere', () => ports.files.read(at('outside/file'))],
  ['reading behind a symlink', () => ports.files.read(at('allowed/out/file'))],
  ['a relative path', () => ports.files.write('outside/file', 'x', { replace: true })],
  ['a NUL', () => ports.files.write(`${at('allowed')}/a\0b`, 'x')],
  ['the journal of this run', () => ports.files.write(at('state/run/journal.jsonl'), 'x', { replace: true })],
  ['the journal of another run', () => ports.files.remove(at('state/other/journal.jsonl'))],
  ['the journal of another run behind a symlink in the work folder', () => ports.files.write(at('state/run/work/other/journal.jsonl'), 'x', { replace: true })],
  ['a bundle', () => ports.files.write(at('evidence/drill.json'), 'x', { replace: true })],
  ['the runbook', () => ports.files.write(at('runbooks/a.yaml'), 'x', { replace: true })],
  // Commands
  ['a program elsewhere', run([at('outside/bin/leak')])],
  ['a program of the same name elsewhere', run([at('outside/bin/tool')])],
  ['a symlink of the listed name', run([at('allowed/tool')])],
  ['dots to another program', run([`${at('bin')}/../outside/bin/leak`])],
  ['a program relative to the working directory', run(['./leak'], { cwd: at('outside/bin') })],
  ['a shell that nobody listed', run(['sh', '-c', at('outside/bin/leak')])],
  ['env, which runs another', run(['env', at('outside/bin/leak')])],
  ['a working directory elsewhere', run([at('bin/tool')], { cwd: at('outside') })],
  ['a working directory behind a symlink', run([at('bin/tool')], { cwd: at('allowed/out') })],
  ['a library loaded into it', run([at('bin/tool')], { env: { LD_PRELOAD: at('outside/file') } })],
  ['a file that its shell reads first', run([at('bin/tool')], { env: { ENV: at('outside/bin/leak') } })],
  ['a service file', run([at('bin/tool')], { env: { PGSERVICEFILE: at('outside/file') } })],
  ['PGHOST elsewhere', run([at('bin/tool')], { env: { PGHOST: '127.0.0.2' } })],
  ['PGHOSTADDR beside an honest PGHOST', run([at('bin/tool')], { env: { PGHOST: 'db.internal', PGHOSTADDR: '127.0.0.2' } })],
  ['a second PGHOST', run([at('bin/tool')], { env: { PGHOST: '127.0.0.1,127.0.0.2', PGPORT: '1' } })],
  ['a child that would write to production', () => ports.process.run([at('bin/tool')], { effect: 'modify', env: { PGHOST: '127.0.0.1', PGPORT: String(productionPort) } }, signal)],
  ['a proxy', run([at('bin/tool')], { env: { http_proxy: 'http://127.0.0.2' } })],
];

describe('through the real adapters there is no way out by', () => {
  afterEach(() => vi.unstubAllEnvs());

  test.each(ways)('%s', async (_, attempt) => {
    for (const [name, value] of Object.entries(inherited)) vi.stubEnv(name, value);
    await expect(attempt()).rejects.toThrow();
    expect(connections).toBe(0);
    expect(['outside', 'prod', 'state', 'evidence', 'runbooks', 'allowed'].flatMap((folder) => tree(at(folder)))).toEqual(untouched);
    expect(readdirSync(at('traces'))).toEqual([]);
  });
});

describe('a restore', () => {
  test.each(['copy', 'beside'])('does not go over or into production’s data directory (%s)', async (into) => {
    mkdirSync(at('prod/base/b1/data/global'), { recursive: true });
    const backup = { name: 'b1', startedAt: '2026-01-01T00:00:00Z', finishedAt: '2026-01-01T00:00:01Z', startLsn: '0/1', stopLsn: '0/2', timeline: 1, systemId: '1', serverVersion: '18', origin: 'schedule' };
    writeFileSync(at('prod/base/b1/manifest.json'), JSON.stringify({ format: 'muster-directory-backup/1', backup, limits: {}, tablespaces: [] }));
    const restore = ports.postgres.repository('prod-backups').prepareRestore({ into, backup: 'b1', target: { type: 'latest' }, timeline: 'latest', settings: {} }, signal);
    await expect(restore).rejects.toThrow(GuardError);
    expect(readFileSync(at('prod/data/PG_VERSION'), 'utf8')).toBe('as it was');
    expect(readdirSync(at('prod/data'))).toEqual(['PG_VERSION']);
  });
});

test('there are more than forty ways', () => {
  expect(ways.length).toBeGreaterThan(40);
});

test('the way in is open, so a refusal proves something', async () => {
  execFileSync(at('bin/tool'));
  rmSync(at('traces/ran'));
  await ports.process.run([at('bin/tool')], { effect: 'read' }, signal);
  expect(readdirSync(at('traces'))).toEqual(['ran']);
  await ports.files.write(at('allowed/new'), 'x');
  await expect(ports.http.request({ url: url('http://127.0.0.1:PRODUCTION/') }, signal)).rejects.toThrow('socket hang up');
  expect(connections).toBe(1);
});
