import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { PostgresDetails } from '../../src/clients/postgres/details.js';
import { postgresWorld, type PostgresWorld } from '../components/postgres.js';
import { Place } from './lib.js';

let place: Place;
let world: PostgresWorld;
let drill: string[];
let server: PostgresDetails;

const at = (name: string) => join(place.cwd, name);
const passwordFile = (password: string) => writeFileSync(at('.pgpass'), `${server.host}:${server.port}:*:visitor:${password}\n`, { mode: 0o600 });

beforeEach(async () => {
  place = new Place();
  world = await postgresWorld();
  server = (await world.provision('server', 'embedded-postgres', 'source')) as unknown as PostgresDetails;
  await sql("CREATE ROLE visitor LOGIN PASSWORD 'first-password'");
  passwordFile('first-password');
  writeFileSync(
    at('runbook.yaml'),
    `apiVersion: muster/v1
kind: Runbook
metadata: { name: long, version: 1.0.0, title: A long drill, owner: tests }
objectives: {}
fault: injected
requires: { server: postgres }
steps:
  - { id: inject, phase: inject, uses: exec, with: { shell: sh, script: 'touch "$1"; until test -e "$2"; do sleep 0.05; done', argv: [${at('begun')}, ${at('changed')}], effect: destroy } }
  - { id: check, phase: verify, uses: postgres.sql, with: { server: server, sql: SELECT 1, effect: read } }
`,
  );
  writeFileSync(
    at('environment.yaml'),
    `apiVersion: muster/v1
kind: Environment
metadata: { name: long, sandbox: true }
connections:
  server: { kind: postgres, role: source, provision: existing-postgres, with: { host: ${server.host}, port: ${server.port}, database: ${server.database}, user: visitor } }
boundary: { commands: [sh, sleep, touch] }
runbooks: any
stableFor: "0"
`,
  );
  drill = ['run', 'runbook.yaml', '--env', 'environment.yaml'];
});
afterEach(async () => {
  await place.remove();
  await world.close();
});

async function sql(text: string): Promise<void> {
  const session = await world.port.connect({ connection: 'server' }, { effect: 'modify' });
  await session.query(text);
  await session.close();
}

/** The password changes while the drill is under way. */
async function expire(): Promise<void> {
  while (!existsSync(at('begun'))) await pause(20);
  await sql("ALTER ROLE visitor PASSWORD 'second-password'");
  writeFileSync(at('changed'), '');
}

it('waits at a terminal for credentials that expired to be renewed, goes on, and counts it as waiting for people', async () => {
  const terminal = place.terminal(drill);
  await expire();
  await terminal.shows('password authentication failed for user "visitor"');
  await terminal.shows('Renewed? [r/a]');
  terminal.type('r\r');
  // Not renewed yet: it asks again.
  await terminal.shows('Renewed? [r/a]');
  passwordFile('second-password');
  terminal.type('r\r');
  const { code, screen } = await terminal.ended;
  expect(code, screen).toBe(0);
  const [bundle = ''] = place.bundles();
  expect(place.drillOf(bundle).steps.find(({ id }) => id === 'check')).toMatchObject({ status: 'succeeded', attempts: 1 });
  expect(place.drillOf(bundle).manual.waitingMs).toBeGreaterThan(0);
  expect(place.events(bundle).filter(({ type, step }) => type === 'human.done' && step === 'check')).toHaveLength(2);
  expect(screen).not.toMatch(/(first|second)-password/);
});

it('fails without a terminal, and says where passwords come from', async () => {
  const started = place.start(drill);
  await expire();
  const { code, stdout } = await started.ended;
  expect(code).toBe(1);
  expect(stdout).toMatch(/step-failed at step check: .*password authentication failed/);
  const [bundle = ''] = place.bundles();
  expect(JSON.stringify(place.events(bundle))).toContain('pgpass file, which is read again for each connection');
});
