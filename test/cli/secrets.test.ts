import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { postgresWorld, type PostgresWorld } from '../components/postgres.js';
import { Place, type Ended } from './lib.js';

/** Every secret begins alike, so that a piece of one is found as well. */
const mark = 'c4n4ry';
const secret = (way: string, rest = '') => `${mark}-${way}-7Qx2Lm9Z${rest}`;

/** The text, and what is in it URL-encoded, JSON-escaped or in base64. */
function readings(text: string): string[] {
  const decoded = [...text.matchAll(/[A-Za-z0-9+/_-]{10,}/g)].flatMap(([token]) => [0, 1, 2, 3].map((skip) => Buffer.from(token.slice(skip).replaceAll('-', '+').replaceAll('_', '/'), 'base64').toString('latin1')));
  return [text, text.replaceAll(/%([0-9a-f]{2})/gi, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16))), text.replaceAll('\\', ''), ...decoded];
}

let place: Place;
let documents: string;
let server: Server;
let base: string;
let seen: string[];
beforeAll(async () => {
  // Gives back all that it got, in its headers and its body.
  server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString())).on('end', () => {
      response.setHeader('x-echo', String(request.headers['x-token'] ?? ''));
      response.end(JSON.stringify({ body, token: request.headers['x-token'], url: request.url }));
    });
  });
  await new Promise<void>((resolve) => server.listen({ host: '127.0.0.1', port: 0 }, resolve));
  base = `127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => void server.close());
beforeEach(() => {
  place = new Place();
  // Apart from what Muster writes.
  documents = mkdtempSync(join(tmpdir(), 'muster-documents-'));
  seen = [];
});
afterEach(async () => {
  await place.remove();
  rmSync(documents, { recursive: true, force: true });
});

interface Drill {
  readonly steps: string;
  readonly inputs?: string;
  readonly connections?: string;
  readonly requires?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
}

function write({ steps, inputs = '{}', connections = '{}', requires = '{}' }: Drill): string[] {
  const [runbook, environment] = [join(documents, 'runbook.yaml'), join(documents, 'environment.yaml')];
  writeFileSync(runbook, `apiVersion: muster/v1\nkind: Runbook\nmetadata: { name: secrets, version: 1.0.0, title: Secrets, owner: tests }\nobjectives: {}\nfault: declared\nrequires: ${requires}\ninputs: ${inputs}\nsteps:\n${steps}\n`);
  writeFileSync(environment, `apiVersion: muster/v1\nkind: Environment\nmetadata: { name: secrets, sandbox: true }\nconnections: ${connections}\nboundary: { commands: [sh, printf, sleep, psql], hosts: ["${base}"] }\nrunbooks: any\nstableFor: "0"\n`);
  return [runbook, '--env', environment];
}

/** Runs it with all kinds of output, keeps its state, and watches the command lines of all processes but Muster's own. */
async function run(drill: Drill): Promise<Ended> {
  const target = write(drill);
  const started = place.start(['run', ...target, '--json', '--keep', ...(drill.args ?? [])], drill.env);
  const looking = setInterval(() => {
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name) && Number(name) !== started.child.pid)) {
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
        // What the operator typed, also while a child of it has not become its program yet.
        if (line.includes(mark) && !line.includes('bin/muster.js') && readFileSync(`/proc/${pid}/environ`, 'utf8').includes(place.state)) seen.push(line);
      } catch {
        // It has ended.
      }
    }
  }, 10);
  const ended = await started.ended;
  clearInterval(looking);
  return ended;
}

/** Everything that Muster wrote: its output, state, logs, journal and bundle; the servers' own data are theirs. */
function written(...outputs: readonly Ended[]): Map<string, string> {
  const files = readdirSync(place.cwd, { recursive: true, withFileTypes: true }).map((entry) => join(entry.parentPath, entry.name)).filter((path) => !path.includes('/work/') && statSync(path).isFile());
  return new Map([...outputs.flatMap(({ stdout, stderr }, index) => [[`stdout ${index}`, stdout], [`stderr ${index}`, stderr]] as const), ...files.map((path) => [path, readFileSync(path, 'utf8')] as const)]);
}

function expectNothing(...outputs: readonly Ended[]): void {
  const found = [...written(...outputs)].filter(([, text]) => readings(text).some((reading) => reading.includes(mark)));
  expect(found.map(([where, text]) => `${where}: ${readings(text).find((reading) => reading.includes(mark))?.match(/.{0,60}c4n4ry.{0,40}/s)?.[0] ?? ''}`)).toEqual([]);
  expect(seen).toEqual([]);
}

const step = (id: string, uses: string, input: object) => `  - { id: ${id}, phase: prepare, uses: ${uses}, with: ${JSON.stringify(input)} }`;
const sensitive = (...names: string[]) => JSON.stringify(Object.fromEntries(names.map((name) => [name, { type: 'string', 'x-sensitive': true }])));
const sh = (id: string, script: string, more: object = {}) => step(id, 'exec', { shell: 'sh', script, effect: 'read', ...more });

describe('no byte that Muster writes holds a secret', () => {
  it('of an input or of the environment that commands print in pieces, encoded or escaped', async () => {
    const pem = `-----BEGIN PRIVATE KEY-----\n${mark}MIIBVQIBADANBgkqhkiG9w0\n${mark}BAQEFAASCAT8wggE7AgEA\n-----END PRIVATE KEY-----`;
    const steps = [
      sh('set', 'echo "$T"; echo "$T" >&2', { env: { T: '{{ inputs.a }}' } }),
      sh('environment', 'echo "$T"', { env: { T: '{{ inputs.b }}' } }),
      sh('named', 'echo "token=$NAMED"; echo "Authorization: $NAMED" >&2', { secretEnv: ['NAMED'] }),
      sh('pieces', 'printf %.9s "$PIECES"; sleep 0.2; echo "${PIECES#?????????}"', { secretEnv: ['PIECES'] }),
      sh('base64', 'printf "x:%s" "$BASE64" | base64 -w 0; echo; printf "%s" "$BASE64" | base64 -w 0', { secretEnv: ['BASE64'] }),
      sh('url', "echo \"$URLISH\" | sed 's,/,%2F,; s, ,%20,; s,&,%26,'", { secretEnv: ['URLISH'] }),
      sh('json', String.raw`printf '{"v":"%s"}' "$(printf %s "$QUOTED" | sed 's/[\\"]/\\&/g')"`, { secretEnv: ['QUOTED'], outputs: 'json' }),
      sh('key', 'echo "$PEM"', { secretEnv: ['PEM'] }),
      step('asked', 'manual', { instructions: 'Type {{ inputs.a }}', changes: [] }),
    ].join('\n');
    const answers = join(documents, 'answers.yaml');
    writeFileSync(answers, `asked: { who: ann, attestation: "typed ${secret('set')} and ${secret('environment')}" }\n`);
    const ended = await run({
      steps,
      inputs: sensitive('a', 'b'),
      env: { MUSTER_INPUT_b: secret('environment'), NAMED: secret('named'), PIECES: secret('pieces'), BASE64: secret('base64'), URLISH: secret('url', '/a b&c'), QUOTED: secret('quoted', '"q\\b'), PEM: pem },
      args: ['--set', `a=${secret('set')}`, '--answers', answers],
    });
    expect(ended.stderr).not.toMatch(/refused|expected:/);
    expect(ended.stdout).toContain('"status":"succeeded"');
    expect(ended.stdout).not.toContain('"status":"failed"');
    expect(ended.stdout.match(/\[redacted\]/g)?.length).toBeGreaterThan(8);
    expectNothing(ended);
  });

  it.each([
    ['a command that fails and says why', sh('failing', 'echo "no: $NAMED"; echo "denied for $NAMED" >&2; exit 3', { secretEnv: ['NAMED'] })],
    ['output that is no JSON', sh('broken', 'echo "$NAMED"', { secretEnv: ['NAMED'], outputs: 'json' })],
    ['a secret on a command line', step('argument', 'exec', { argv: ['psql', 'postgresql://me:{{ inputs.a }}@127.0.0.1:1/app'], effect: 'read' })],
    ['a header that the answer repeats', step('header', 'http.check', { url: 'http://BASE/', headers: { 'x-token': '{{ inputs.a }}' }, expect: { json: { token: 'another' } } })],
    ['a body that the answer repeats', step('body', 'http.check', { url: 'http://BASE/', method: 'POST', body: 'pw={{ inputs.a }}', expect: { json: { body: 'another' } } })],
    ['a query', step('query', 'http.check', { url: 'http://BASE/?token={{ inputs.a }}', expect: { status: 404 } })],
    ['a query to a host outside', step('outside', 'http.check', { url: 'http://127.0.0.1:1/?token={{ inputs.a }}' })],
    ['user info in a URL', step('userinfo', 'http.check', { url: 'http://me:{{ inputs.a }}@BASE/' })],
  ])('of %s', async (_, steps) => {
    const ended = await run({ steps: steps.replaceAll('BASE', base), inputs: sensitive('a'), env: { MUSTER_INPUT_a: secret('input'), NAMED: secret('named') } });
    expect(ended.code).not.toBe(0);
    expect(ended.code).not.toBe(70);
    expectNothing(ended);
  });

  it('of a note that somebody makes while it runs', async () => {
    const target = write({ steps: sh('long', 'until test -e "$1"; do sleep 0.05; done', { argv: [join(documents, 'noted')], secretEnv: ['NAMED'] }) });
    const drill = place.start(['run', ...target, '--json', '--keep'], { NAMED: secret('named') });
    await drill.event(({ type, step: id }) => type === 'step.started' && id === 'long');
    const noted = await place.run(['note', place.runs()[0] ?? '', '--manual', `logged in with ${secret('named')}`, '--who', `ann ${secret('named')}`]);
    expect(noted.code, noted.stderr).toBe(0);
    writeFileSync(join(documents, 'noted'), '');
    const ended = await drill.ended;
    expect(ended.stdout).toContain('"text":"logged in with [redacted]"');
    expectNothing(noted, ended);
  });

  it('of plans, in any format and in the file', async () => {
    const target = write({ steps: sh('set', 'echo "$T"', { env: { T: 'x {{ inputs.a }}' } }), inputs: sensitive('a') });
    const ended = await Promise.all(['text', 'markdown', 'json'].map((format) => place.run(['plan', ...target, '--format', format, '--out', `plan-${format}.json`], { MUSTER_INPUT_a: secret('input') })));
    expect(ended.map(({ code }) => code)).toEqual([0, 0, 0]);
    expectNothing(...ended);
  });
});

describe('a document with a secret in it is refused, and the secret is not repeated', () => {
  const embedded = (settings: string) => `{ s: { kind: postgres, role: source, provision: embedded-postgres, with: { settings: { primary_conninfo: "${settings}" } } } }`;
  it.each<readonly [string, Partial<Drill>]>([
    ['a setting with a password', { connections: embedded(`host=a user=b password=${secret('conninfo')}`) }],
    ['a setting with a URL', { connections: embedded(`postgresql://me:${secret('uri')}@host/db`) }],
    ['the default of a sensitive input', { inputs: `{ a: { type: string, x-sensitive: true, default: ${secret('default')} } }` }],
    ['a password in SQL', { steps: step('sql', 'postgres.sql', { server: 's', sql: `CREATE ROLE x PASSWORD '${secret('sql')}'`, effect: 'modify' }), requires: '{ s: postgres }' }],
    ['a variable of a command', { steps: sh('env', 'true', { env: { API_TOKEN: secret('env') } }) }],
    ['a header', { steps: step('header', 'http.check', { url: 'http://127.0.0.1:1/', headers: { Authorization: `Bearer ${secret('header')}` } }) }],
    ['a private key', { steps: sh('key', `echo "-----BEGIN RSA PRIVATE KEY----- ${secret('key')}"`) }],
  ])('%s', async (_, more) => {
    const ended = await run({ steps: sh('nothing', 'true'), ...more });
    expect(ended.stderr).toContain('a secret must not stand here');
    expect(ended.code).toBe(2);
    expectNothing(ended);
  });

  it('the value of a sensitive input that stands in the runbook as well', async () => {
    const ended = await run({ steps: sh('nothing', `echo ${secret('twice')}`), inputs: sensitive('a'), env: { MUSTER_INPUT_a: secret('twice') } });
    expect(ended.code).toBe(3);
    expectNothing(ended);
  });
});

describe('with a server', () => {
  let here: PostgresWorld;
  let port: number;
  const password = secret('pgpassword');
  beforeAll(async () => {
    here = await postgresWorld();
    port = Number((await here.provision('theirs', 'embedded-postgres', 'source'))['port']);
    const session = await here.port.connect({ connection: 'theirs' }, { effect: 'modify' });
    await session.query(`CREATE ROLE app LOGIN PASSWORD '${password}'`);
    await session.close();
  });
  afterAll(() => here.close());

  const drill = (): Drill => ({
    requires: '{ s: postgres }',
    connections: `{ s: { kind: postgres, role: source, provision: existing-postgres, with: { host: 127.0.0.1, port: ${port}, database: app, user: app } } }`,
    inputs: sensitive('a'),
    steps: [
      step('value', 'postgres.sql', { server: 's', sql: 'SELECT $1::text AS v', params: ['{{ inputs.a }}'], effect: 'read' }),
      step('error', 'postgres.sql', { server: 's', sql: 'SELECT $1::int', params: ['{{ inputs.a }}'], effect: 'read' }),
    ].join('\n'),
  });

  it('neither PGPASSWORD nor what its error messages repeat comes out', async () => {
    const ended = await run({ ...drill(), env: { PGPASSWORD: password, MUSTER_INPUT_a: secret('parameter') } });
    expect(ended.stdout).toContain('invalid input syntax for type integer');
    expectNothing(ended);
  });

  it('nor a password from the pgpass file that a parameter repeats', async () => {
    const file = join(documents, 'pgpass');
    writeFileSync(file, `127.0.0.1:${port}:app:app:${password}\n`, { mode: 0o600 });
    const steps = step('error', 'postgres.sql', { server: 's', sql: 'SELECT concat(lower($1::text), $2::text)::int', params: ['C4N4RY', '-pgpassword-7Qx2Lm9Z'], effect: 'read' });
    const target = { ...drill(), inputs: '{}', steps };
    const ended = await run({ ...target, env: { PGPASSFILE: file } });
    expect(ended.stderr).not.toMatch(/refused|expected:/);
    expect(ended.stdout).toContain('"status":"failed"');
    expectNothing(ended);
  });

  it('nor a wrong password', async () => {
    const ended = await run({ ...drill(), env: { PGPASSWORD: secret('wrong'), MUSTER_INPUT_a: secret('parameter') } });
    expect(ended.stderr + ended.stdout).toContain('password authentication failed');
    expectNothing(ended);
  });
});
