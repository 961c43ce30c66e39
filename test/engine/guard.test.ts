import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import type { Effect } from '../../src/engine/define-step.js';
import { GuardError } from '../../src/engine/errors.js';
import { createGuard } from '../../src/engine/guard.js';
import { guardPolicy } from '../../src/engine/guard/policy.js';
import type { PlanBinding } from '../../src/engine/plan-document.js';
import type { Target } from '../../src/engine/scope.js';
import { LiveWorld } from '../../src/engine/world.js';

const root = realpathSync(mkdtempSync(join(tmpdir(), 'muster-guard-')));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const at = (...names: string[]): string => join(root, ...names);
for (const folder of ['allowed', 'outside', 'state', 'runbooks', 'prod-data', 'copy-data', 'bin', 'other-bin', 'own-bin']) mkdirSync(at(folder));
for (const program of ['bin/tool', 'bin/busybox', 'other-bin/tool', 'own-bin/postgres']) {
  writeFileSync(at(program), '#!/bin/sh\n');
  chmodSync(at(program), 0o755);
}
symlinkSync(at('bin/busybox'), at('bin/true'));
symlinkSync(at('bin/busybox'), at('allowed/rm'));
symlinkSync(at('other-bin/tool'), at('allowed/tool'));
symlinkSync(at('outside'), at('allowed/out'));
symlinkSync(at('outside/new'), at('allowed/dangling'));
symlinkSync(at('prod-data'), at('allowed/prod'));

const environment = {
  connections: {
    prod: { kind: 'postgres', role: 'production', provision: 'existing', with: { host: 'prod.example', port: 5432, address: '10.0.0.5', local: { dataDir: at('prod-data') } }, does: '' },
    near: { kind: 'postgres', role: 'production', provision: 'existing', with: { host: 'localhost', port: 5555 }, does: '' },
    socket: { kind: 'postgres', role: 'production', provision: 'existing', with: { host: '/run/prod', port: 5432 }, does: '' },
    parent: { kind: 'postgres', role: 'production', provision: 'existing', with: { host: 'p2.example', port: 5432, local: { dataDir: at('allowed/prod-parent/data') } }, does: '' },
    nested: { kind: 'postgres', role: 'production', provision: 'existing', with: { host: 'p3.example', port: 5432, local: { dataDir: at('copy-data/nested-prod') } }, does: '' },
    source: { kind: 'postgres', role: 'source', provision: 'embedded-postgres', with: {}, does: '' },
    copy: { kind: 'postgres', role: 'target', provision: 'restored-postgres', with: {}, does: '' },
  },
  endpoints: {
    app: { provision: 'forwarder', to: 'source', host: null, port: null },
    idle: { provision: 'forwarder', to: null, host: null, port: null },
    live: { provision: 'existing', to: 'prod', host: 'live.example', port: 6432 },
    pooler: { provision: 'existing', to: null, host: 'pooler.example', port: 6432 },
  },
  boundary: { hosts: ['db.internal', '10.1.0.7:8080', '[fd00::1]:443', 'localhost:9000', 'forbidden.example:80', '10.0.0.5'], directories: [at('allowed'), at('bundles')], commands: ['tool', 'true'] },
  forbidden: ['forbidden.example:80', '10.9.9.9:5432'],
} satisfies Pick<PlanBinding['environment'], 'connections' | 'endpoints' | 'boundary' | 'forbidden'>;

const world = new LiveWorld();
world.apply({ type: 'connection.provisioned', data: { connection: 'source', kind: 'postgres', role: 'source', provision: 'embedded-postgres', details: { host: '127.0.0.1', port: 40001, local: { dataDir: at('copy-data'), binDir: at('own-bin') } } } });
world.apply({ type: 'connection.provisioned', data: { connection: 'copy', kind: 'postgres', role: 'target', provision: 'restored-postgres', details: { host: '127.0.0.1', port: 40002 } } });
world.apply({ type: 'endpoint.opened', data: { endpoint: 'app', host: '127.0.0.1', port: 40003, to: 'source' } });
world.apply({ type: 'endpoint.opened', data: { endpoint: 'idle', host: '127.0.0.1', port: 40004, to: null } });

const guard = createGuard(guardPolicy({ environment, world, ownDirectories: [at('state/run/work')], protectedDirectories: [at('state'), at('bundles/evidence')], runbookDir: at('runbooks'), path: `relative:${at('bin')}:${at('other-bin')}` }));

const tcp = (host: string, port: number, address?: string): Target => ({ kind: 'tcp', host, port, ...(address === undefined ? {} : { address }) });
const http = (url: string, address?: string): Target => ({ kind: 'http', url, ...(address === undefined ? {} : { address }) });
const path = (name: string): Target => ({ kind: 'path', path: name });
const command = (file: string, more: { cwd?: string; env?: Record<string, string> } = {}): Target => ({ kind: 'command', file, args: [], ...more });
const postgres = (connection: string, host: string, port: number, role: Extract<Target, { kind: 'postgres' }>['role'] = 'source', address?: string): Target => ({ kind: 'postgres', connection, role, host, port, ...(address === undefined ? {} : { address }) });

const inside: readonly (readonly [string, Target, Effect])[] = [
  ['a provisioned server', postgres('source', '127.0.0.1', 40001), 'destroy'],
  ['its address in another spelling', postgres('source', '::ffff:127.0.0.1', 40001), 'modify'],
  ['production, to read', postgres('prod', 'prod.example', 5432, 'production', '10.0.0.5'), 'read'],
  ['production by its socket, to read', postgres('socket', '/run/prod', 5432, 'production'), 'read'],
  ['an endpoint that leads to a source', postgres('app', '127.0.0.1', 40003, 'endpoint'), 'modify'],
  ['an endpoint of ours that leads nowhere', postgres('idle', '127.0.0.1', 40004, 'endpoint'), 'modify'],
  ['an endpoint that leads to production, to read', postgres('live', 'live.example', 6432, 'endpoint'), 'read'],
  ['a listed name, whatever its address', http('https://DB.internal./x', '10.77.0.1'), 'modify'],
  ['a name that leads to a listed address', http('http://alias.example:8080/', '10.1.0.7'), 'modify'],
  ['a listed IPv6 address', http('https://[FD00:0:0::1]/'), 'read'],
  ['localhost where it is listed', tcp('localhost', 9000, '127.0.0.1'), 'modify'],
  ['a connect-only check of what is forbidden', tcp('10.9.9.9', 5432), 'read'],
  ['a new file in a listed directory', path(at('allowed/new/file')), 'create'],
  ['the run’s own work folder', path(at('state/run/work')), 'destroy'],
  ['the runbook, to read', path(at('runbooks/a.yaml')), 'read'],
  ['production’s files, to read', path(at('prod-data/PG_VERSION')), 'read'],
  ['a listed command', command(at('bin/tool'), { cwd: at('runbooks'), env: { PGPASSWORD: 'x', PGHOST: '127.0.0.1', PGPORT: '40001' } }), 'modify'],
  ['a listed command behind a symlink', command(at('bin/true')), 'read'],
  ['a server’s own program', command(at('own-bin/postgres'), { env: { PGHOST: '127.0.0.1', PGPORT: '40001' } }), 'modify'],
  ['a switch to a target', { kind: 'endpoint', endpoint: 'app', to: 'copy' }, 'modify'],
];

test.each(inside)('lets pass: %s', (_, target, effect) => {
  expect(() => guard.check(target, effect)).not.toThrow();
});

const boundary = 'outside the boundary';
const readOnly = 'read-only';
const escapes: readonly (readonly [string, Target, Effect, string])[] = [
  // Addresses
  ['another host', tcp('evil.example', 80), 'read', boundary],
  ['another port of a listed host', tcp('10.1.0.7', 8081), 'read', boundary],
  ['a listed name as the end of another', tcp('xdb.internal', 5432), 'read', boundary],
  ['a listed name as the start of another', http('http://db.internal.evil.example/', '10.66.0.1'), 'read', boundary],
  ['a listed name as user info', http('http://db.internal@evil.example/', '10.66.0.1'), 'read', 'user or a password'],
  ['a listed name in the path', http('http://evil.example/db.internal', '10.66.0.1'), 'read', boundary],
  ['a backslash before the real host', http('http://evil.example\\@db.internal/', '10.66.0.1'), 'read', boundary],
  ['a name that resolves elsewhere', http('http://alias.example:8080/', '10.1.0.8'), 'read', boundary],
  ['localhost that resolves elsewhere', tcp('localhost', 9000, '10.66.0.1'), 'read', boundary],
  ['a name under localhost', tcp('x.localhost', 9000), 'read', boundary],
  ['::1 where only 127.0.0.1 is inside', tcp('::1', 40001), 'modify', boundary],
  ['0.0.0.0', tcp('0.0.0.0', 40001), 'modify', boundary],
  ['another loopback address', tcp('127.1.2.3', 40001), 'modify', boundary],
  ['two hosts in one', postgres('source', '127.0.0.1,10.0.0.5', 40001), 'read', 'not one host'],
  ['white space in a host', postgres('source', '127.0.0.1 host=10.0.0.5', 40001), 'read', 'not one host'],
  ['a percent sign in a host', tcp('%31%30.0.0.9', 80), 'read', 'not one host'],
  ['a scope in an IPv6 address', tcp('fd00::1%eth0', 443), 'read', 'not one host'],
  ['an empty host, which libraries fill from PGHOST', postgres('source', '', 40001), 'read', 'not one host'],
  ['port 0', tcp('127.0.0.1', 0), 'read', 'no port'],
  ['a port beyond the last', tcp('db.internal', 70_000), 'read', 'no port'],
  ['another scheme', http('file:///etc/passwd'), 'read', 'not an http'],
  ['a socket elsewhere', postgres('source', '/var/run/postgresql', 5432), 'read', boundary],
  ['an abstract socket', postgres('source', '@prod', 5432), 'read', 'absolute path'],
  ['forbidden, though a host of the boundary', http('http://forbidden.example/', '10.4.4.4'), 'read', 'forbidden'],
  ['forbidden under another name', http('http://alias.example:5432/', '10.9.9.9'), 'read', 'forbidden'],
  ['forbidden, for more than a connect', tcp('10.9.9.9', 5432), 'modify', 'forbidden'],
  // Production
  ['a write to production', postgres('prod', 'prod.example', 5432, 'production'), 'modify', readOnly],
  ['a creation in production', postgres('prod', 'prod.example', 5432, 'production'), 'create', readOnly],
  ['a write to production in the guise of a source', postgres('prod', 'prod.example', 5432, 'source'), 'destroy', readOnly],
  ['production’s host under the name of a source', postgres('source', 'PROD.example.', 5432), 'modify', readOnly],
  ['production’s address under the name of a source', postgres('source', '10.0.0.5', 5432), 'modify', readOnly],
  ['production’s address in octal', postgres('source', '012.0.0.05', 5432), 'modify', readOnly],
  ['production’s address in hex', postgres('source', '0xa.0.0.5', 5432), 'modify', readOnly],
  ['production’s address as one number', postgres('source', '167772165', 5432), 'modify', readOnly],
  ['production’s address in short', postgres('source', '10.5', 5432), 'modify', readOnly],
  ['production’s address mapped into IPv6', postgres('source', '::ffff:10.0.0.5', 5432), 'modify', readOnly],
  ['production’s address mapped in hex groups', postgres('source', '[0:0:0:0:0:FFFF:0a00:0005]', 5432), 'modify', readOnly],
  ['production’s address in full-width digits', postgres('source', '１０.０.０.５', 5432), 'modify', readOnly],
  ['a listed name that resolves to production', postgres('source', 'db.internal', 5432, 'source', '10.0.0.5'), 'modify', readOnly],
  ['a POST to production', http('http://db.internal:5432/', '10.0.0.5'), 'modify', readOnly],
  ['production on loopback by another spelling', postgres('source', '127.0.0.2', 5555), 'modify', readOnly],
  ['production on loopback as 0', postgres('source', '0', 5555), 'modify', readOnly],
  ['production’s socket under the name of a source', postgres('source', '/run/prod', 5432), 'modify', readOnly],
  ['a write through an endpoint that leads to production', postgres('live', 'live.example', 6432, 'endpoint'), 'modify', readOnly],
  ['a write to that endpoint’s address by another kind', tcp('live.example', 6432), 'modify', readOnly],
  ['a write through an address whose connection nobody knows', postgres('pooler', 'pooler.example', 6432, 'endpoint'), 'modify', 'not known'],
  ['a connection that the environment does not have', postgres('other', '127.0.0.1', 40001), 'modify', 'no connection'],
  ['an endpoint that the environment does not have', { kind: 'endpoint', endpoint: 'other', to: 'copy' }, 'modify', 'no such endpoint'],
  ['leading clients to production', { kind: 'endpoint', endpoint: 'app', to: 'prod' }, 'modify', readOnly],
  // Paths
  ['a path elsewhere', path('/etc/passwd'), 'read', boundary],
  ['dots', path(`${at('allowed')}/../outside/file`), 'create', boundary],
  ['dots after a symlink', path(`${at('allowed')}/out/../../outside/file`), 'create', boundary],
  ['a folder that only begins alike', path(`${at('allowed')}-too/file`), 'create', boundary],
  ['a symlinked folder', path(at('allowed/out/file')), 'create', boundary],
  ['a dangling symlink', path(at('allowed/dangling')), 'create', boundary],
  ['a symlink into production’s files', path(at('allowed/prod/base')), 'modify', readOnly],
  ['production’s files', path(at('prod-data/base')), 'destroy', readOnly],
  ['a write beside the runbook', path(at('runbooks/a.yaml')), 'modify', boundary],
  ['a relative path', path('allowed/file'), 'read', 'absolute path'],
  ['the folder that holds production’s files', path(at('allowed/prod-parent')), 'destroy', readOnly],
  ['production’s files, though a source’s folder holds them', path(at('copy-data/nested-prod/base')), 'modify', readOnly],
  ['the journal of this run', path(at('state/run/journal.jsonl')), 'modify', 'state or the evidence'],
  ['the journal of another run', path(at('state/other/journal.jsonl')), 'read', 'state or the evidence'],
  ['a lock', path(at('state/locks/x')), 'destroy', 'state or the evidence'],
  ['another run’s work folder by dots', path(`${at('state/run/work')}/../../other/work/x`), 'create', 'state or the evidence'],
  ['a bundle inside a listed directory', path(at('bundles/evidence/bundle/data/drill.json')), 'modify', 'state or the evidence'],
  ['a folder that holds bundles', path(at('bundles')), 'destroy', 'state or the evidence'],
  ['a NUL', path(`${at('allowed')}/a\0b`), 'read', 'absolute path'],
  ['the parent of a listed directory', path(root), 'read', boundary],
  // Commands
  ['another command', command('/bin/sh'), 'read', boundary],
  ['a command of the same name elsewhere', command(at('other-bin/tool')), 'read', boundary],
  ['a symlink of a listed name to another command', command(at('allowed/tool')), 'read', boundary],
  ['another program of the same file', command(at('allowed/rm')), 'destroy', boundary],
  ['dots to another command', command(`${at('bin')}/../other-bin/tool`), 'read', boundary],
  ['a relative command', command('bin/tool'), 'read', boundary],
  ['a working directory elsewhere', command(at('bin/tool'), { cwd: '/etc' }), 'read', boundary],
  ['a working directory behind a symlink', command(at('bin/tool'), { cwd: at('allowed/out') }), 'read', boundary],
  ['a library loaded into a command', command(at('bin/tool'), { env: { LD_PRELOAD: '/x.so' } }), 'read', 'LD_PRELOAD'],
  ['a file that a shell reads first', command(at('bin/tool'), { env: { BASH_ENV: '/x' } }), 'read', 'BASH_ENV'],
  ['a library loaded into a server’s own program', command(at('own-bin/postgres'), { env: { LD_PRELOAD: '/x.so' } }), 'modify', 'LD_PRELOAD'],
  ['a server’s own program led to production', command(at('own-bin/postgres'), { env: { PGHOST: '10.0.0.5' } }), 'modify', readOnly],
  ['a service file', command(at('bin/tool'), { env: { PGSERVICEFILE: '/x' } }), 'read', 'PGSERVICEFILE'],
  ['a proxy', command(at('bin/tool'), { env: { https_proxy: 'http://evil.example' } }), 'read', 'https_proxy'],
  ['PGHOST of a child elsewhere', command(at('bin/tool'), { env: { PGHOST: 'evil.example' } }), 'read', boundary],
  ['a second PGHOST', command(at('bin/tool'), { env: { PGHOST: '127.0.0.1,evil.example', PGPORT: '40001' } }), 'read', boundary],
  ['PGHOSTADDR beside an honest PGHOST', command(at('bin/tool'), { env: { PGHOST: 'db.internal', PGHOSTADDR: '10.66.0.1' } }), 'read', boundary],
  ['a child that would write to production', command(at('bin/tool'), { env: { PGHOST: '10.0.0.5' } }), 'modify', readOnly],
];

test('there are more than forty ways out', () => {
  expect(escapes.length).toBeGreaterThan(40);
});

test.each(escapes)('refuses: %s', (_, target, effect, why) => {
  expect(() => guard.check(target, effect)).toThrow(GuardError);
  expect(() => guard.check(target, effect)).toThrow(why);
});

describe('a refusal', () => {
  test('names the line that would allow the call, and that line does', () => {
    const refused = tcp('new.example', 8443);
    expect(() => guard.check(refused, 'read')).toThrow('refused to connect to new.example:8443 (read): it is outside the boundary. To allow it, the environment would say: boundary: { hosts: ["new.example:8443"] }');
    const wider = { ...environment, boundary: { ...environment.boundary, hosts: [...environment.boundary.hosts, 'new.example:8443'] } };
    expect(() => createGuard(guardPolicy({ environment: wider, world, ownDirectories: [], runbookDir: at('runbooks') })).check(refused, 'read')).not.toThrow();
  });

  test('does not repeat the query of a URL', () => {
    expect(() => guard.check(http('http://evil.example/x?token=canary'), 'read')).toThrow(/^(?!.*canary)/);
  });

  test('an unreadable boundary is refused as a whole', () => {
    expect(() => createGuard(guardPolicy({ environment: { ...environment, boundary: { hosts: ['a,b'] } }, world, ownDirectories: [], runbookDir: at('runbooks') }))).toThrow('boundary.hosts');
  });
});

test('a bare command is looked up once: a program put before it on PATH later is not let pass', () => {
  const early = at('early');
  mkdirSync(early);
  const searching = createGuard(guardPolicy({ environment, world, ownDirectories: [], runbookDir: at('runbooks'), path: `${early}:${at('bin')}` }));
  writeFileSync(join(early, 'tool'), '#!/bin/sh\n');
  chmodSync(join(early, 'tool'), 0o755);
  expect(() => searching.check(command(join(early, 'tool')), 'read')).toThrow(boundary);
  expect(() => searching.check(command(at('bin/tool')), 'read')).not.toThrow();
});

test('an endpoint is judged by where it leads now', () => {
  const moved = new LiveWorld();
  moved.apply({ type: 'endpoint.opened', data: { endpoint: 'app', host: '127.0.0.1', port: 40003, to: 'source' } });
  const live = createGuard(guardPolicy({ environment, world: moved, ownDirectories: [], runbookDir: at('runbooks') }));
  const write = postgres('app', '127.0.0.1', 40003, 'endpoint');
  expect(() => live.check(write, 'modify')).not.toThrow();
  moved.apply({ type: 'endpoint.switched', data: { endpoint: 'app', from: 'source', to: 'prod' } });
  expect(() => live.check(write, 'modify')).toThrow(readOnly);
});
