import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { ip, routesMissing } from '../clients/reach/lib.js';
import { requireComponent } from '../components/index.js';
import { Place } from './lib.js';

let place: Place;
let server: Server;
let bytes = 0;
const port = () => (server.address() as AddressInfo).port;

beforeAll(async () => {
  server = createServer((client) => client.on('data', (chunk) => void (bytes += chunk.length)));
  await new Promise<void>((resolve) => server.listen({ host: '127.0.0.1', port: 0 }, resolve));
});
afterAll(() => void server.close());
beforeEach(() => {
  place = new Place();
});
afterEach(() => place.remove());

/** A drill of two commands; `mark` is a file that the inject step makes. */
function documents(forbidden: string, allowedPort: number): string[] {
  mkdirSync(join(place.cwd, 'docs'));
  const [runbook, environment] = [join(place.cwd, 'docs/runbook.yaml'), join(place.cwd, 'docs/environment.yaml')];
  writeFileSync(runbook, `apiVersion: muster/v1
kind: Runbook
metadata: { name: apart, version: 1.0.0, title: Kept apart, owner: tests }
objectives: {}
fault: injected
requires: {}
steps:
  - { id: prepare, phase: prepare, uses: exec, with: { argv: [touch, ${place.cwd}/prepared], effect: create } }
  - { id: inject, phase: inject, uses: exec, with: { argv: [touch, ${place.cwd}/injected], effect: create } }
`);
  writeFileSync(environment, `apiVersion: muster/v1
kind: Environment
metadata: { name: apart, sandbox: true }
connections: {}
endpoints: { app: { provision: existing, host: 127.0.0.1, port: ${allowedPort} } }
boundary: { commands: [touch] }
forbidden: ["${forbidden}"]
runbooks: any
stableFor: "0"
`);
  return ['run', runbook, '--env', environment, '--json'];
}

const isolationOf = (stdout: string) =>
  stdout.split('\n').filter((line) => line.includes('"kind":"isolation"')).map((line) => (JSON.parse(line) as { data: { data: { when: string; from: string; checks: { found: string }[] } } }).data.data);

it('refuses the drill when something forbidden is reached, before any step', async () => {
  const { code, stderr } = await place.run(documents(`127.0.0.1:${port()}`, port()));
  expect(stderr).toContain(`127.0.0.1:${port()}: the connection was accepted`);
  expect(code).toBe(3);
  expect(() => readFileSync(join(place.cwd, 'prepared'))).toThrow('ENOENT');
  expect(bytes).toBe(0);
});

const withNamespaces = await requireComponent({ name: 'network namespaces', obtain: async () => (spawnSync('unshare', ['--net', 'true']).status === 0 ? undefined : 'It needs Linux, root, and util-linux.') });
withNamespaces('a command that is run by `unshare --net`', () => {
  it.each([[['bash', '-c'], 1], [['unshare', '--net', 'bash', '-c'], 0]] as const)('%j reaches the network: %i', async (argv, reached) => {
    let connections = 0;
    const count = (): void => void (connections += 1);
    server.on('connection', count);
    const args = documents('192.0.2.1:9', port());
    const [, runbook = '', , environment = ''] = args;
    writeFileSync(environment, readFileSync(environment, 'utf8').replace('[touch]', '[touch, bash, unshare]').replace(/forbidden: .*/, 'forbidden: []'));
    const command = JSON.stringify([...argv, `exec 3<>/dev/tcp/127.0.0.1/${port()}`]);
    writeFileSync(runbook, readFileSync(runbook, 'utf8').replace(`[touch, ${place.cwd}/prepared], effect: create`, `${command}, effect: read, expectExit: [0, 1]`));
    const { stdout } = await place.run(args);
    server.off('connection', count);
    expect(stdout).toContain('"status":"succeeded"');
    expect(connections).toBe(reached);
  });
});

it('takes no target from the output of a step that leads outside', async () => {
  let connections = 0;
  const count = (): void => void (connections += 1);
  server.on('connection', count);
  const args = documents('192.0.2.1:9', 1);
  const [, runbook = '', , environment = ''] = args;
  writeFileSync(environment, readFileSync(environment, 'utf8').replace('[touch]', '[touch, printf]').replace(/forbidden: .*/, 'forbidden: []'));
  const told = JSON.stringify({ url: `http://127.0.0.1:${port()}/`, folder: place.cwd, program: '/bin/sh' });
  const uses: readonly (readonly [string, object])[] = [
    ['http.check', { url: '{{ steps.prepare.json.url }}' }],
    ['exec', { argv: ['touch', 'leak'], cwd: '{{ steps.prepare.json.folder }}', effect: 'read' }],
    ['exec', { argv: ['{{ steps.prepare.json.program }}', '-c', `touch ${place.cwd}/leak`], effect: 'read' }],
  ];
  const text = readFileSync(runbook, 'utf8').replace(`[touch, ${place.cwd}/prepared], effect: create`, `[printf, "%s", ${JSON.stringify(told)}], outputs: json, effect: read`);
  for (const [type, input] of uses) {
    writeFileSync(runbook, text.replace(/uses: exec, with: .* }\n$/, `uses: ${type}, with: ${JSON.stringify(input)} }\n`));
    const { code, stderr } = await place.run(args);
    expect(stderr).toContain('outside the boundary');
    expect(code).toBe(3);
  }
  server.off('connection', count);
  expect(connections).toBe(0);
  expect(existsSync(join(place.cwd, 'leak'))).toBe(false);
});

const withRoutes = await requireComponent({ name: 'routes of our own', obtain: async () => routesMissing() });
withRoutes('beside an address that leads nowhere', () => {
  const host = '127.77.2.1';
  beforeEach(() => ip('route', 'replace', 'blackhole', `${host}/32`, 'table', 'local'));
  afterEach(() => {
    try {
      ip('route', 'del', 'blackhole', `${host}/32`, 'table', 'local');
    } catch {
      // A test has removed it already.
    }
  });

  it('leaves evidence of both times and says from where', async () => {
    const { stdout, stderr } = await place.run(documents(`${host}:5432`, port()));
    expect(stderr).not.toContain('isolation');
    expect(isolationOf(stdout).map(({ when, from, checks }) => ({ when, here: from.startsWith('this process on '), found: checks.map((check) => check.found) }))).toEqual([
      { when: 'before', here: true, found: ['unreachable', 'reachable'] },
      { when: 'after', here: true, found: ['unreachable', 'reachable'] },
    ]);
  });

  it('fails a drill during which it comes within reach', async () => {
    const args = documents(`${host}:5432`, port());
    const text = readFileSync(args[1] ?? '', 'utf8');
    // The way opens while the drill runs: the address is loopback once its route is gone.
    writeFileSync(args[1] ?? '', text.replace(`touch, ${place.cwd}/injected`, `ip, route, del, blackhole, ${host}/32, table, local`));
    const environment = args[3] ?? '';
    writeFileSync(environment, readFileSync(environment, 'utf8').replace('[touch]', '[touch, ip]'));
    const { code, stderr } = await place.run(args);
    expect(stderr).toContain('isolation-violated');
    expect(code).toBe(1);
  });
});
