import { spawn } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import type { PostgresDetails } from '../../src/clients/postgres/details.js';
import { packageRoot } from '../../src/engine/package-root.js';
import type { Profile } from '../../src/engine/watch/profile.js';
import { postgresWorld, type PostgresWorld } from '../components/postgres.js';

let here: PostgresWorld;
let server: PostgresDetails;

beforeAll(async () => {
  here = await postgresWorld();
  server = (await here.provision('live', 'embedded-postgres', 'source')) as unknown as PostgresDetails;
}, 60_000);
afterAll(() => here.close());

async function password(): Promise<string> {
  return (await readFile(server.passFile ?? '', 'utf8')).trim().split(':').at(-1) ?? '';
}

async function client(application: string): Promise<pg.Client> {
  const made = new pg.Client({ host: server.host, port: server.port, user: server.user, database: server.database, password: await password(), application_name: application });
  await made.connect();
  return made;
}

test('proposes a profile of who works on an existing server, and says what the present ones let through', { timeout: 60_000 }, async () => {
  const environment = join(here.folder, 'environment.yaml');
  await writeFile(
    environment,
    `apiVersion: muster/v1
kind: Environment
metadata: { name: living }
connections:
  live: { kind: postgres, role: production, provision: existing-postgres, with: { host: 127.0.0.1, port: ${server.port}, database: ${server.database}, user: ${server.user} } }
boundary: {}
watch: { required: [postgres], profiles: [postgres], settle: 2s }
runbooks: any
`,
  );
  const first = await client('shop');
  await first.query('CREATE TABLE baskets (id int)');
  const child = spawn(process.execPath, [join(packageRoot(), 'bin/muster.js'), 'watch', '--env', environment, '--for', '8s'], { env: { ...process.env, PGPASSWORD: await password() }, stdio: ['ignore', 'pipe', 'pipe'] });
  const said = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said.stdout += text));
  const began = new Promise<void>((resolve) => {
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said.stderr += text;
      if (said.stderr.includes('Watching live')) resolve();
    });
  });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  await Promise.race([began, ended]);
  const cron = await client('pg_cron');
  await first.query('INSERT INTO baskets VALUES (1)');
  await first.query("ALTER SYSTEM SET work_mem = '9MB'");
  await first.query('SELECT pg_reload_conf()');
  expect(await ended, said.stderr).toBe(0);
  await cron.end();
  await first.end();

  const profile = parse(said.stdout) as Profile;
  const actors = profile.expect.map(({ actor }) => actor);
  expect(actors).toContainEqual(expect.stringMatching(/^\^shop /));
  expect(actors.filter((actor) => actor?.includes('pg_cron'))).toEqual([]);
  expect(profile.expect.map(({ object, change }) => `${object} ${change}`)).toEqual(expect.arrayContaining(['^table baskets$ ^rows written$', '^setting work_mem$ ^setting changed$']));
  expect(said.stderr).toMatch(/The present profiles let through:\n {2}postgres: live: session: connected by pg_cron/);
});
