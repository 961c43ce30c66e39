import { expect, test } from 'vitest';
import { parseLog } from '../../../src/steps/postgres/lib/watch-log.js';
import { effectsOf } from '../../../src/steps/postgres/lib/watch-statement.js';

const shown = (sql: string) => effectsOf(sql).map(({ change, object }) => `${change} ${object}`);

test.each([
  ["INSERT INTO orders VALUES (1, 'secret; DROP TABLE accounts')", ['INSERT table orders']],
  ['insert into "Orders" select 1', ['INSERT table Orders']],
  ['/* why */ UPDATE ONLY public.accounts SET balance = 0', ['UPDATE table accounts']],
  ['DELETE FROM shop.orders o USING accounts a', ['DELETE table shop.orders']],
  ['BEGIN; INSERT INTO a VALUES (1); COMMIT', ['INSERT table a']],
  ['WITH gone AS (DELETE FROM orders RETURNING *) SELECT count(*) FROM gone', ['DELETE table orders']],
  ['EXPLAIN (ANALYZE, BUFFERS) UPDATE accounts SET balance = 1', ['UPDATE table accounts']],
  ['EXPLAIN UPDATE accounts SET balance = 1', ['UPDATE table accounts']],
  ['PREPARE p (int) AS INSERT INTO a VALUES ($1)', ['INSERT table a']],
  ['COPY orders (id, note) FROM STDIN', ['COPY FROM table orders']],
  ['COPY orders TO STDOUT', []],
  ["COPY (SELECT 1) TO PROGRAM 'sh'", ['COPY TO PROGRAM server']],
  ["ALTER SYSTEM SET work_mem = '8MB'", ['ALTER SYSTEM setting work_mem']],
  ['ALTER SYSTEM RESET ALL', ['ALTER SYSTEM setting all']],
  ['CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS by_hand ON orders (id)', ['CREATE INDEX index by_hand']],
  ['DROP TABLE IF EXISTS orders CASCADE', ['DROP TABLE table orders']],
  ['CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS $$ DELETE FROM orders; SELECT 1 $$', ['CREATE FUNCTION function f']],
  ['CREATE TEMP TABLE t (a int)', []],
  ['SELECT * INTO copied FROM orders', ['CREATE TABLE AS table copied']],
  ['DO $$ BEGIN DELETE FROM orders; END $$', ['DO anonymous block']],
  ['CALL mend(1)', ['CALL procedure mend']],
  ['TRUNCATE TABLE orders', ['TRUNCATE table orders']],
  ['GRANT SELECT ON orders TO app', ['GRANT table orders']],
  ['REINDEX TABLE orders', ['REINDEX table orders']],
  ["SELECT pg_reload_conf(), pg_switch_wal()", ['SELECT pg_reload_conf() server', 'SELECT pg_switch_wal() server']],
  ["SELECT * FROM orders WHERE note = 'INSERT INTO a'", []],
  ['SELECT id FROM orders FOR UPDATE', []],
  ['SHOW work_mem; SET work_mem = 1; SELECT 1', []],
] as const)('%s alters %j', (sql, effects) => {
  expect(shown(sql)).toEqual(effects);
});

test('no value of a statement stands in what is told of it', () => {
  expect(JSON.stringify(effectsOf("INSERT INTO t VALUES ('hunter2', $tag$hunter2$tag$, E'hun\\'ter2'); -- hunter2"))).not.toContain('hunter2');
});

test('a log is read by its prefix; statements of many lines are one entry', () => {
  const [own, session] = parseLog([
    '2026-11-20 07:58:37.123 UTC [12] LOG:  received SIGHUP, reloading configuration files',
    '2026-11-20 07:58:38.001 UTC [77] {postgres@app my {odd} client} LOG:  statement: INSERT INTO orders',
    "\tVALUES (1)",
    'no entry',
  ]);
  expect(own).toEqual({ at: '2026-11-20T07:58:37.123Z', pid: 12, session: null, level: 'LOG', text: 'received SIGHUP, reloading configuration files' });
  expect(session).toMatchObject({ pid: 77, session: { user: 'postgres', database: 'app', application: 'my {odd} client' }, text: 'statement: INSERT INTO orders\nVALUES (1)' });
});
