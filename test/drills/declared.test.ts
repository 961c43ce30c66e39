import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Environment, Runbook } from '../../src/engine/documents.js';
import type { PostgresDetails } from '../../src/clients/postgres/details.js';
import { postgresWorld, type PostgresWorld } from '../components/postgres.js';
import { act, drill, expectNothingLeft, removeFolders, run, type DrillOptions } from './harness.js';

/** A living system that the drill has not made: a server, its archive, and last night's backup. */
let living: PostgresWorld;
let production: PostgresDetails;
let archive: string;
let passFile: string;

const rowsAtBackup = 500;

beforeAll(async () => {
  living = await postgresWorld();
  const { path } = await living.provision('backups', 'directory', 'source');
  archive = String(path);
  const settings = { log_statement: 'all', log_line_prefix: '%m [%p] %a ' };
  production = (await living.provision('source', 'embedded-postgres', 'source', { archiveTo: 'backups', settings })) as unknown as PostgresDetails;
  for (const sql of [
    'CREATE TABLE orders (id bigint PRIMARY KEY, amount int NOT NULL)',
    `INSERT INTO orders SELECT n, n FROM generate_series(1, ${rowsAtBackup}) AS n`,
    "CREATE ROLE reader LOGIN PASSWORD 'reads-only'",
    'GRANT pg_monitor, pg_read_all_data TO reader',
  ]) {
    await query(sql);
  }
  await living.port.repository('backups').backup('source', new AbortController().signal);
  await asScheduled();
  const own = production.passFile === undefined ? '' : await readFile(production.passFile, 'utf8');
  passFile = join(living.folder, 'pgpass');
  await writeFile(passFile, `127.0.0.1:*:*:reader:reads-only\n${own}`, { mode: 0o600 });
});

afterAll(async () => {
  await living.close();
  await removeFolders();
});

async function query<R extends Record<string, unknown>>(sql: string): Promise<readonly R[]> {
  const session = await living.port.connect({ connection: 'source' }, { effect: 'modify', label: 'application' });
  try {
    return (await session.query<R>(sql)).rows;
  } finally {
    await session.close();
  }
}

/** What a nightly job would have written. */
async function asScheduled(): Promise<void> {
  const base = join(archive, 'base');
  for (const name of await readdir(base)) {
    const file = join(base, name, 'manifest.json');
    await writeFile(file, (await readFile(file, 'utf8')).replace('"origin": "drill"', '"origin": "schedule"'));
  }
}

function environment(document: Environment): void {
  document.metadata = { name: 'living', sandbox: false };
  document.connections['source'] = { kind: 'postgres', role: 'production', provision: 'existing-postgres', with: { host: production.host, port: production.port, database: production.database, user: 'reader' } };
  document.connections['backups'] = { kind: 'postgres-backups', role: 'production', provision: 'directory', with: { path: archive } };
  document.endpoints = { app: { provision: 'forwarder' } };
}

/** Everything archived is restored into a copy beside the living system. */
function runbook(document: Runbook): void {
  const kept = document.steps.filter((step) => 'id' in step && ['restore', 'wal-end', 'content', 'switch', 'healthy'].includes(step.id));
  document.fault = 'declared';
  document.probes = {
    lsn: { uses: 'postgres.lsn', with: { server: 'source', every: '200ms' } },
    availability: { uses: 'postgres.availability', with: { endpoint: 'app', table: 'orders', every: '200ms' } },
    archive: { uses: 'postgres.archive', with: { server: 'source', repository: 'backups', every: '200ms' } },
  };
  document.steps = [{ id: 'lost', phase: 'inject', uses: 'drill.fault', with: { detail: 'The primary and its disks are lost' } }, ...kept];
  for (const step of kept) {
    if (!('id' in step)) continue;
    if (step.id === 'restore') step.with = { repository: 'backups', into: 'copy', target: { type: 'latest' } };
    if (step.id === 'content') step.with = { server: 'copy', reference: 'invariants', invariants: [{ name: 'Orders are whole', sql: `SELECT count(*) >= ${rowsAtBackup} AND count(*) = max(id) FROM orders` }] };
  }
}

const options = (): DrillOptions => ({ environment, runbook, set: { rows: 1000 }, env: { PGPASSFILE: passFile } });

/** Clients go on writing to production, and segments are archived, until the drill is over. */
async function underLoad(over: Promise<unknown>): Promise<void> {
  let ended = false;
  void over.finally(() => (ended = true)).catch(() => undefined);
  for (let turn = 1; !ended; turn += 1) {
    await query('INSERT INTO orders SELECT max(id) + 1, 1 FROM orders');
    if (turn % 10 === 0) await query('SELECT pg_switch_wal()');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** What a drill must not alter. */
async function state(): Promise<unknown> {
  const objects = await query("SELECT relname, relkind FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1");
  const settings = await query("SELECT name, setting FROM pg_settings WHERE source NOT IN ('default', 'client', 'session') ORDER BY 1");
  const roles = await query('SELECT rolname, rolsuper FROM pg_roles ORDER BY 1');
  const [own] = await query('SELECT system_identifier::text AS id, timeline_id FROM pg_control_system(), pg_control_checkpoint()');
  return { objects, settings, roles, own, base: await readdir(join(archive, 'base')) };
}

/** Statements of the drill's role that could alter something. */
async function mutations(): Promise<string[]> {
  const log = await readFile(production.local?.logFile ?? '', 'utf8');
  const sent = log.split('\n').filter((line) => line.includes('{reader@') && /LOG: +(?:statement|execute [^:]*):/.test(line));
  expect(sent.length).toBeGreaterThan(0);
  return sent.filter((line) => !/(?:statement|execute [^:]*): +(?:BEGIN|SELECT|WITH|SET|SHOW|ROLLBACK|COMMIT|START)\b/i.test(line));
}

test('a copy restored beside a living production server: passed, and production is as it was', async () => {
  const before = await state();
  const judged = await drill({
    ...options(),
    runbook: (document) => {
      runbook(document);
      document.steps.unshift(act('sampled', 'inject', 'archived-since-sampled', [], 'read'));
    },
    beside: ({ ended }) => underLoad(ended),
  });
  expect(judged.drill.reasons).toEqual([]);
  expect(judged.drill.verdict).toBe('passed');
  expect(judged.drill.rto.title).toMatch(/isolated copy; production cutover not exercised/);
  expect(judged.drill.rpo).toMatchObject({ status: 'met', basis: 'samples' });
  expect(await state()).toEqual(before);
  expect(await mutations()).toEqual([]);
});

test('an idle production server: rpo-not-measured', async () => {
  // The server itself writes nothing more then.
  await query('VACUUM');
  await query('CHECKPOINT');
  const before = await state();
  const judged = await drill({
    ...options(),
    runbook: (document) => {
      runbook(document);
      document.steps.unshift({ id: 'quiet', phase: 'inject', uses: 'wait', with: { for: '2500ms' } });
    },
  });
  expect(judged.drill.verdict).toBe('incomplete');
  expect(judged.codes).toEqual(['rpo-not-measured']);
  expect(await state()).toEqual(before);
});

test('a runbook that would break production, with a role that could: exit 3, nothing sent', async () => {
  const before = await state();
  const drilled = await run({
    ...options(),
    environment: (document) => {
      environment(document);
      Object.assign(document.connections['source']?.with ?? {}, { user: 'postgres' });
    },
    runbook: (document) => {
      runbook(document);
      document.fault = 'injected';
      document.probes = {};
      document.steps[0] = { id: 'lost', phase: 'inject', uses: 'postgres.sql', with: { server: 'source', sql: 'DROP TABLE orders', effect: 'destroy' } };
    },
  });
  expect(drilled.code, drilled.stderr).toBe(3);
  expect(drilled.stderr).toContain('has the role production, which is read-only');
  expect(drilled.bundle).toBeNull();
  expectNothingLeft(drilled);
  expect(await state()).toEqual(before);
});
