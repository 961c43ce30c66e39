import { afterAll, beforeAll, expect, it } from 'vitest';
import { checkRights } from '../../../src/clients/postgres/check-rights.js';
import type { SqlRight } from '../../../src/engine/permission.js';
import { postgresWorld, type PostgresWorld } from '../../components/postgres.js';

let here: PostgresWorld;
beforeAll(async () => {
  here = await postgresWorld();
  const details = await here.provision('source', 'embedded-postgres', 'source');
  const session = await here.port.connect({ connection: 'source' }, { effect: 'modify' });
  await session.query('CREATE TABLE orders (id int); CREATE SCHEMA shop; CREATE TABLE shop.orders (id int)');
  await session.query("CREATE ROLE drill LOGIN PASSWORD 'drill-pw'; GRANT SELECT ON orders TO drill; GRANT USAGE ON SCHEMA shop TO drill; GRANT pg_monitor TO drill");
  await session.close();
  here.world.apply({ type: 'connection.provisioned', data: { connection: 'drill', kind: 'postgres', role: 'source', provision: 'existing-postgres', details: { ...details, user: 'drill' } } });
});
afterAll(() => here.close());

it.each<readonly [string, SqlRight, string, RegExp]>([
  ['a table', { on: 'table', name: 'orders', privileges: ['SELECT'] }, 'passed', /has it/],
  ['the same table for more', { on: 'table', name: 'orders', privileges: ['SELECT', 'INSERT', 'LOCK'] }, 'failed', /lacks INSERT, MAINTAIN on orders/],
  ['one of the same name in another schema', { on: 'table', name: 'shop.orders', privileges: ['SELECT'] }, 'failed', /lacks SELECT on shop\.orders/],
  ['a name of three parts, of which two are a table', { on: 'table', name: 'public.orders.id', privileges: ['SELECT'] }, 'failed', /there is no table public\.orders\.id/],
  ['a table that is not there', { on: 'table', name: 'nothing', privileges: ['SELECT'] }, 'failed', /there is no table nothing/],
  ['one that the run makes', { on: 'table', name: 'made', privileges: ['SELECT'], made: true }, 'passed', /the run makes/],
  ['one that an earlier step makes', { on: 'table', name: 'later', privileges: ['SELECT'] }, 'deferred', /an earlier step makes/],
  ['ownership', { on: 'owner', name: 'orders' }, 'failed', /the ownership of orders, which belongs to postgres/],
  ['a schema', { on: 'schema', name: 'shop', privileges: ['USAGE', 'CREATE'] }, 'failed', /lacks CREATE on schema shop/],
  ['a function', { on: 'function', name: 'pg_backup_start(text, boolean)' }, 'failed', /lacks EXECUTE on pg_backup_start/],
  ['a function for everyone', { on: 'function', name: 'clock_timestamp()' }, 'passed', /may call it/],
  ['a function of no version', { on: 'function', name: 'pg_no_such_function()' }, 'could-not-run', /no function pg_no_such_function/],
  ['membership', { on: 'role', name: 'pg_monitor' }, 'passed', /is a member/],
  ['membership that it lacks', { on: 'role', name: 'pg_read_all_data' }, 'failed', /lacks membership in pg_read_all_data/],
  ['a role that is not there', { on: 'role', name: 'nobody_here' }, 'failed', /there is no role nobody_here/],
  ['a superuser', { on: 'superuser' }, 'failed', /lacks the attribute SUPERUSER/],
])('tells whether the role has what it needs: %s', async (_, right, result, detail) => {
  process.env['PGPASSWORD'] = 'drill-pw';
  const session = await here.port.connect({ connection: 'drill' }, { effect: 'read' }).finally(() => delete process.env['PGPASSWORD']);
  try {
    const found = await checkRights(session, [{ on: 'schema', name: 'public', privileges: ['USAGE'] }, right], { role: 'drill', superuser: false, version: 180_000 }, ['table later']);
    expect(found.get(right)).toMatchObject({ result, detail: expect.stringMatching(detail) as string });
  } finally {
    await session.close();
  }
});
