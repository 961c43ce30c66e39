import { createServer } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { PostgresSession } from '../../../src/clients/postgres/port.js';
import { GuardError, StepError } from '../../../src/engine/errors.js';
import { postgresWorld, type PostgresWorld } from '../../components/postgres.js';

let here: PostgresWorld;
let port: number;

beforeAll(async () => {
  here = await postgresWorld();
  const details = await here.provision('source', 'embedded-postgres', 'source');
  port = Number(details['port']);
  // Somebody else's server as far as Muster knows: its password comes the usual way.
  process.env['PGPASSFILE'] = String(here.world.connections.get('source')?.details['passFile']);
  await here.provision('production', 'existing-postgres', 'production', { host: '127.0.0.1', port, database: 'app', user: 'postgres' });
  const session = await here.port.connect({ connection: 'source' }, { effect: 'modify' });
  await session.query('CREATE SCHEMA "Odd Schema"');
  await session.query('CREATE TABLE t (n int)');
  await session.close();
});

afterAll(() => here.close());
afterEach(() => vi.unstubAllEnvs());

async function open(connection: string, effect: 'read' | 'modify' = 'read'): Promise<PostgresSession> {
  return here.port.connect({ connection }, { effect, label: 'label' });
}

describe('a session', () => {
  it('goes where the environment file says, whatever PG variables say', async () => {
    vi.stubEnv('PGHOST', '192.0.2.1');
    vi.stubEnv('PGPORT', '1');
    vi.stubEnv('PGDATABASE', 'elsewhere');
    vi.stubEnv('PGUSER', 'somebody');
    vi.stubEnv('PGSERVICE', 'production');
    vi.stubEnv('PGSSLMODE', 'require');
    vi.stubEnv('PGOPTIONS', '-c search_path=elsewhere');
    vi.stubEnv('PGAPPNAME', 'not-us');
    const session = await open('source');
    const { rows } = await session.query("SELECT current_database() AS db, current_user AS who, inet_server_port() AS port, current_setting('search_path') AS path, current_setting('application_name') AS name");
    expect(rows).toEqual([{ db: 'app', who: 'postgres', port, path: '"$user", public', name: expect.stringMatching(/^muster\/test-.*\/test\/label$/) as string }]);
    await session.close();
    expect(process.env['PGHOST']).toBe('192.0.2.1');
  });

  it('keeps what JavaScript numbers and dates would lose', async () => {
    const session = await open('source');
    const { rows } = await session.query("SELECT 9007199254740993::int8 AS big, 1.10::numeric AS exact, 7::int4 AS small, '2026-01-02 03:04:05.678901+01'::timestamptz AS at, ARRAY['2026-01-02 03:04:05.678901+01'::timestamptz] AS ats, true AS yes");
    expect(rows).toEqual([{ big: '9007199254740993', exact: '1.10', small: 7, at: '2026-01-02 02:04:05.678901+00', ats: ['2026-01-02 02:04:05.678901+00'], yes: true }]);
    await session.close();
  });

  it('quotes names and refuses what is none', async () => {
    const session = await open('source');
    expect(session.identifier('plain')).toBe('"plain"');
    expect(session.identifier('Odd Schema.ta"ble')).toBe('"Odd Schema"."ta""ble"');
    expect(() => session.identifier('a.b.c')).toThrow(StepError);
    expect(() => session.identifier('')).toThrow(StepError);
    await session.close();
  });

  it('reads only, unless it says that it alters', async () => {
    const reader = await open('source');
    await expect(reader.query('INSERT INTO t VALUES (1)')).rejects.toMatchObject({ code: 'sql-error', cause: { code: '25006' } });
    await reader.close();
    const writer = await open('source', 'modify');
    expect((await writer.query('INSERT INTO t VALUES (1)')).rowCount).toBe(1);
    await writer.close();
  });

  it('asks the guard before connecting, and before each statement that may alter something', async () => {
    const asked: string[] = [];
    const port2 = here.portFor('asker', undefined, (target, effect) => {
      asked.push(`${target.kind} ${effect}`);
      return Promise.resolve();
    });
    const session = await port2.connect({ connection: 'source' }, { effect: 'destroy' });
    expect(asked).toEqual(['postgres read']);
    await session.query('SELECT 1');
    await session.query('SELECT 1');
    expect(asked).toEqual(['postgres read', 'postgres destroy', 'postgres destroy']);
    await session.close();
  });

  it('sends nothing that the guard refuses', async () => {
    const guarded = here.portFor('guarded', undefined, (_, effect) => (effect === 'read' ? Promise.resolve() : Promise.reject(new GuardError('refused'))));
    const session = await guarded.connect({ connection: 'source' }, { effect: 'modify' });
    await expect(session.query('DROP TABLE t')).rejects.toThrow(GuardError);
    await session.close();
    const reader = await open('source');
    await reader.query('SELECT FROM t');
    await reader.close();
  });

  it('ends its running query on the server when it is aborted', async () => {
    const controller = new AbortController();
    const session = await here.portFor('sleeper', controller.signal).connect({ connection: 'source' }, { effect: 'read', label: 'sleeps' });
    const running = session.query('SELECT pg_sleep(600)');
    const watcher = await open('source');
    const sleepers = async (): Promise<number> => (await watcher.query("SELECT FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(600)'")).rowCount;
    await vi.waitUntil(async () => (await sleepers()) === 1, { timeout: 10_000 });
    controller.abort(new Error('enough'));
    await expect(running).rejects.toThrow('enough');
    await vi.waitUntil(async () => (await sleepers()) === 0, { timeout: 10_000 });
    await watcher.close();
  });

  it('says which server is not there, and that trying again may help', async () => {
    const server = createServer();
    const free = await new Promise<number>((resolve) => server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port)));
    await new Promise((resolve) => server.close(resolve));
    await here.provision('absent', 'existing-postgres', 'source', { host: '127.0.0.1', port: free, database: 'app', user: 'postgres' });
    await expect(open('absent')).rejects.toMatchObject({ code: 'postgres-unreachable', retryable: true, message: expect.stringContaining(`127.0.0.1:${free}`) as string });
  });

  it('gives up on a server that never answers', async () => {
    const server = createServer((socket) => socket.resume());
    const silent = await new Promise<number>((resolve) => server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port)));
    await here.provision('silent', 'existing-postgres', 'source', { host: '127.0.0.1', port: silent, database: 'app', user: 'postgres' });
    await expect(here.port.connect({ connection: 'silent' }, { effect: 'read', connectTimeoutMs: 100 })).rejects.toMatchObject({ code: 'postgres-unreachable', retryable: true });
    await new Promise((resolve) => server.close(resolve));
  });

  it('reports an unknown database as refused', async () => {
    await expect(here.port.connect({ connection: 'source' }, { effect: 'read', database: 'nowhere' })).rejects.toMatchObject({ code: 'postgres-refused', cause: { code: '3D000' } });
  });
});

describe('a session on production', () => {
  const attempts: readonly (readonly [string, readonly string[]])[] = [
    ['at once', ['INSERT INTO t VALUES (2)']],
    ['after turning the default off', ['SET default_transaction_read_only=off', 'INSERT INTO t VALUES (2)']],
    ['in several statements at once', ['SET default_transaction_read_only=off; INSERT INTO t VALUES (2)']],
    ['in a transaction of its own', ['BEGIN READ WRITE', 'INSERT INTO t VALUES (2)']],
    ['in a transaction made writable', ['BEGIN', 'SET TRANSACTION READ WRITE', 'INSERT INTO t VALUES (2)']],
    ['in a chained transaction', ['BEGIN', 'COMMIT AND CHAIN', 'SET TRANSACTION READ WRITE', 'INSERT INTO t VALUES (2)']],
    ['behind a comment', ['/* x */ BEGIN READ WRITE', 'INSERT INTO t VALUES (2)']],
    ['through set_config', ["SELECT set_config('transaction_read_only', 'off', false)", 'INSERT INTO t VALUES (2)']],
    ['inside one block', ["DO $$ BEGIN PERFORM set_config('transaction_read_only', 'off', false); INSERT INTO t VALUES (2); END $$"]],
  ];

  it.each(attempts)('cannot write %s', async (_, statements) => {
    const session = await open('production', 'modify');
    for (const sql of statements) await session.query(sql).catch(() => undefined);
    await session.close();
    const reader = await open('source');
    expect((await reader.query('SELECT FROM t WHERE n = 2')).rowCount).toBe(0);
    await reader.close();
  });

  it('reads, also over several statements of one transaction', async () => {
    const session = await open('production');
    await session.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
    const first = await session.query<{ xmin: string }>('SELECT pg_current_snapshot()::text AS xmin');
    const writer = await open('source', 'modify');
    await writer.query('CREATE TABLE later (n int)');
    await writer.close();
    expect(await session.query('SELECT pg_current_snapshot()::text AS xmin')).toEqual(first);
    await session.query('COMMIT');
    expect((await session.query('SELECT $1::int AS n', [5])).rows).toEqual([{ n: 5 }]);
    await session.close();
  });
});
