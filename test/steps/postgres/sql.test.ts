import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { step as marker } from '../../../src/steps/postgres/marker.js';
import { step as seed } from '../../../src/steps/postgres/seed.js';
import { step as sql } from '../../../src/steps/postgres/sql.js';
import { postgresRig, type Rig } from './rig.js';

let rig: Rig;

beforeAll(async () => {
  rig = await postgresRig();
  await rig.here.provision('source', 'embedded-postgres', 'source');
  rig.endpoint('app', 'source');
});
afterAll(() => rig.close());

const run = (input: Parameters<typeof sql.run>[0]) => rig.step(sql, input);
const count = async (table: string) => Number((await run({ server: 'source', sql: 'SELECT count(*) AS n FROM :"t"', identifiers: { t: table }, effect: 'read', output: { n: 'n' } })).values['n']);

describe('postgres.sql', () => {
  it('gives params as parameters and names as quoted identifiers', async () => {
    const evil = 'or"ders; DROP TABLE x';
    await run({ server: 'source', sql: 'CREATE TABLE :"t" (v text)', identifiers: { t: evil }, effect: 'create' });
    await run({ server: 'source', sql: 'INSERT INTO :"t" VALUES ($1), ($2)', identifiers: { t: evil }, params: ["'); DROP TABLE x --", null], effect: 'modify' });
    expect(await count(evil)).toBe(2);
  });

  it('gives later steps only the columns that the author named', async () => {
    const output = await run({ endpoint: 'app', sql: "SELECT 1::int AS n, 'secret' AS s, now() AS t", effect: 'read', output: { n: 'n' } });
    expect(output).toEqual({ rowCount: 1, values: { n: 1 } });
    await expect(run({ server: 'source', sql: 'SELECT generate_series(1, 2) AS n', effect: 'read', output: { n: 'n' } })).rejects.toMatchObject({ code: 'unexpected-result' });
  });

  it('cannot write where it says that it reads', async () => {
    await run({ server: 'source', sql: 'CREATE TABLE kept (n int)', effect: 'create' });
    await expect(run({ server: 'source', sql: 'WITH gone AS (INSERT INTO kept VALUES (1) RETURNING n) SELECT n FROM gone', effect: 'read' })).rejects.toThrow(/25006/);
    await expect(run({ server: 'source', sql: 'SELECT 1; DROP TABLE kept', effect: 'read' })).rejects.toMatchObject({ code: 'bad-sql' });
    expect(await count('kept')).toBe(0);
  });

  it('rolls back what did not do what was expected, and shows no value in its error', async () => {
    await expect(run({ server: 'source', sql: 'INSERT INTO kept SELECT generate_series(1, 3)', effect: 'modify', expect: { rowCount: 2 } })).rejects.toThrow('expected 2 rows, found 3');
    expect(await count('kept')).toBe(0);
    const failure = await run({ server: 'source', sql: "SELECT 'topsecret' AS v", effect: 'read', expect: { rows: [{ v: 'other' }] } }).catch((error: unknown) => error);
    expect(String(failure)).not.toMatch(/topsecret|other/);
  });

  it('takes an expected SQLSTATE for success, and its absence for failure', async () => {
    await expect(run({ server: 'source', sql: 'SELECT 1/0', effect: 'read', expect: { error: '22012' } })).resolves.toMatchObject({ rowCount: 0 });
    await expect(run({ server: 'source', sql: 'SELECT 1', effect: 'read', expect: { error: '22012' } })).rejects.toMatchObject({ code: 'unexpected-result' });
    await expect(run({ server: 'source', sql: 'SELECT 1/0', effect: 'read', expect: { error: '42P01' } })).rejects.toThrow(/22012/);
  });

  it('runs statements that take no transaction', async () => {
    await expect(run({ server: 'source', sql: 'VACUUM kept', effect: 'modify' })).resolves.toMatchObject({ rowCount: 0 });
  });

  it('records a health check, failed ones too', async () => {
    await run({ endpoint: 'app', sql: 'SELECT 1', effect: 'read', health: 'up' });
    expect(rig.evidence('health-checks')).toEqual({ checks: [{ name: 'up', ok: true, detail: '1 rows' }] });
    await expect(run({ endpoint: 'app', sql: 'SELECT FROM nothing', effect: 'read', health: 'table' })).rejects.toThrow(/42P01/);
    expect(rig.evidence('health-checks').checks).toEqual([expect.objectContaining({ name: 'table', ok: false })]);
  });

  it('wants one address', async () => {
    await expect(run({ sql: 'SELECT 1', effect: 'read' })).rejects.toMatchObject({ code: 'bad-input' });
    await expect(run({ server: 'source', endpoint: 'app', sql: 'SELECT 1', effect: 'read' })).rejects.toMatchObject({ code: 'bad-input' });
  });

  it('refuses a templated statement in the plan', () => {
    expect(() => sql.plan({ server: 'source', sql: { unknown: 'steps.a.sql' }, effect: 'read' }, { ports: {} as never, signal: new AbortController().signal, runbookDir: '/' })).toThrow(expect.objectContaining({ code: 'bad-sql' }));
  });
});

describe('postgres.seed and postgres.marker', () => {
  it('makes tables that keep their promises, and takes away only its own', async () => {
    const made = await rig.step(seed, { server: 'source', table: 'orders', rows: 300_001, accounts: 50 });
    expect(made).toMatchObject({ rows: 300_001, accounts: 50 });
    expect(await count('orders')).toBe(300_001);
    for (const [statement, state] of [
      ['INSERT INTO orders (account, amount) VALUES (51, 1)', '23503'],
      ['INSERT INTO orders (account, amount) VALUES (1, 0)', '23514'],
      ['INSERT INTO orders (id, account, amount) VALUES (1, 1, 1)', '23505'],
    ] as const) await run({ server: 'source', sql: statement, effect: 'modify', expect: { error: state } });
    await run({ server: 'source', sql: 'INSERT INTO orders (account, amount) VALUES (1, 1)', effect: 'modify' });
    await expect(rig.step(seed, { server: 'source', rows: 1 })).rejects.toMatchObject({ code: 'table-exists' });

    const first = await rig.step(marker, { server: 'source' });
    const second = await rig.step(marker, { server: 'source' });
    expect(first.id).not.toBe(second.id);
    expect(first.at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
    expect(await count('muster_marker')).toBe(2);

    // Somebody else's table takes the place of one of ours.
    await run({ server: 'source', sql: 'DROP TABLE transfers', effect: 'destroy' });
    await run({ server: 'source', sql: 'CREATE TABLE transfers (theirs int)', effect: 'create' });
    await rig.cleanUp();
    expect(await count('transfers')).toBe(0);
    for (const gone of ['orders', 'accounts', 'muster_marker']) await run({ server: 'source', sql: 'SELECT FROM :"t"', identifiers: { t: gone }, effect: 'read', expect: { error: '42P01' } });
  });
});
