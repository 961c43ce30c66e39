import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PostgresSession } from '../../src/clients/postgres/port.js';
import { packageRoot } from '../../src/engine/package-root.js';
import type { ObservedCheck, Plan } from '../../src/engine/plan-document.js';
import { step as backup } from '../../src/steps/postgres/backup.js';
import { step as seed } from '../../src/steps/postgres/seed.js';
import { postgresRig, type Rig } from '../steps/postgres/rig.js';
import { environment as commands, Place, runbook as commandRunbook } from './lib.js';

const drillPassword = 'only what it needs';
let rig: Rig;
let place: Place;
let superuser: PostgresSession;
let printed = '';
let env: Record<string, string>;
let files: readonly [string, string, string];

/** A server whose tables belong to two roles, where nobody may anything, and a role for the drill that has no right at all. */
beforeAll(async () => {
  rig = await postgresRig();
  place = new Place();
  const repository = await rig.here.provision('backups', 'directory', 'source');
  const source = (await rig.here.provision('source', 'embedded-postgres', 'source', { archiveTo: 'backups' })) as { port: number; passFile: string };
  superuser = await rig.session('source');
  await rig.step(seed, { server: 'source', rows: 2_000, accounts: 100 });
  const quoted = `'${drillPassword}'`;
  for (const sql of [
    'CREATE ROLE deploy',
    'CREATE ROLE shop',
    'GRANT USAGE ON SCHEMA public TO deploy, shop',
    'ALTER TABLE orders OWNER TO deploy',
    'ALTER TABLE accounts OWNER TO shop',
    'ALTER TABLE transfers OWNER TO shop',
    `CREATE ROLE drill LOGIN PASSWORD ${quoted}`,
    'REVOKE ALL ON SCHEMA public FROM PUBLIC',
    'REVOKE ALL ON DATABASE app FROM PUBLIC',
  ]) {
    await superuser.query(sql);
  }
  await rig.step(backup, { server: 'source', repository: 'backups' });

  const passFile = join(place.cwd, 'pgpass');
  const known = readFileSync(source.passFile, 'utf8').trim().split(':').at(-1) ?? '';
  writeFileSync(passFile, `*:*:*:drill:${drillPassword}\n*:*:*:postgres:${known}\n`, { mode: 0o600 });
  env = { PGPASSFILE: passFile };
  const drill = parse(readFileSync(join(packageRoot(), 'runbooks/pitr-restore.yaml'), 'utf8')) as { steps: { id: string }[] };
  drill.steps = drill.steps.filter(({ id }) => id !== 'seed' && id !== 'backup');
  writeFileSync(join(place.cwd, 'drill.yaml'), stringify(drill));
  writeFileSync(
    join(place.cwd, 'real.yaml'),
    stringify({
      apiVersion: 'muster/v1',
      kind: 'Environment',
      metadata: { name: 'real', sandbox: true },
      connections: {
        source: { kind: 'postgres', role: 'source', provision: 'existing-postgres', with: { host: '127.0.0.1', port: source.port, database: 'app', user: 'drill' } },
        backups: { kind: 'postgres-backups', role: 'source', provision: 'directory', with: { path: repository['path'] } },
        copy: { kind: 'postgres', role: 'target', provision: 'restored-postgres' },
      },
      endpoints: { app: { provision: 'forwarder', to: 'source' } },
      boundary: {},
      runbooks: 'any',
      stableFor: '2s',
    }),
  );
  files = ['drill.yaml', '--env', 'real.yaml'];
});
afterAll(async () => {
  await place?.remove();
  await rig?.close();
});

async function failed(): Promise<ObservedCheck[]> {
  const { stdout, code } = await place.run(['plan', ...files, '--format', 'json'], env);
  expect(code).toBe(0);
  return (JSON.parse(stdout) as Plan).observed.checks.filter(({ result }) => result === 'failed');
}

const grants = () => printed.split('\n').filter((line) => /^(GRANT|DO) /.test(line));

describe('muster permissions', () => {
  it('without any of the rights preflight says so, and a run is refused before anything is made', async () => {
    const checks = await failed();
    expect(checks.map(({ id }) => id)).toContain('connection source: reachable');
    const { code, stderr } = await place.run(['run', ...files], env);
    expect(code).toBe(3);
    expect(stderr).toMatch(/refused: preflight: .*\n.*connection source: reachable: .*permission denied for database "app"/);
    expect(existsSync(place.state)).toBe(false);
  });

  it('prints SQL that a superuser can run as it stands, and nothing for what the run makes', async () => {
    const { stdout, code } = await place.run(['permissions', ...files], env);
    expect(code).toBe(0);
    printed = stdout;
    expect(grants().map((line) => line.replace(/ {2}--.*/, ''))).toEqual([
      'GRANT CONNECT ON DATABASE app TO drill;',
      'GRANT USAGE, CREATE ON SCHEMA public TO drill;',
      'GRANT SELECT, MAINTAIN, INSERT ON TABLE orders TO drill;',
      'GRANT SELECT, UPDATE ON TABLE accounts TO drill;',
      'GRANT SELECT, MAINTAIN, INSERT ON TABLE transfers TO drill;',
      expect.stringContaining('GRANT %I TO %I'),
      'GRANT EXECUTE ON FUNCTION pg_switch_wal() TO drill;',
    ]);
    expect(stdout).toContain('-- copy: the run makes this server and is its superuser; nothing is to be granted.');
    expect(stdout).toMatch(/read \/.* {2}\(connection backups\)/);
    await superuser.query(printed);
    expect(await failed()).toEqual([]);
  });

  it.each([
    ['REVOKE CONNECT ON DATABASE app FROM drill', 'GRANT CONNECT ON DATABASE app TO drill', 'reachable', /permission denied for database "app"/],
    ['REVOKE CREATE ON SCHEMA public FROM drill', 'GRANT CREATE ON SCHEMA public TO drill', 'USAGE, CREATE on schema public', /lacks CREATE on schema public.*needed by before, after/],
    ['REVOKE USAGE ON SCHEMA public FROM drill, deploy', 'GRANT USAGE ON SCHEMA public TO drill, deploy', 'USAGE on schema public', /lacks USAGE on schema public/],
    ['REVOKE SELECT ON orders FROM drill; REVOKE deploy FROM drill', 'GRANT SELECT ON orders TO drill; GRANT deploy TO drill', 'SELECT on orders', /lacks SELECT on orders; it is given by: GRANT SELECT ON TABLE orders TO drill;.*needed by healthy, probe availability/],
    ['REVOKE UPDATE ON accounts FROM drill', 'GRANT UPDATE ON accounts TO drill', 'SELECT, LOCK on accounts', /lacks MAINTAIN on accounts.*needed by reference/],
    ['REVOKE INSERT ON transfers FROM drill', 'GRANT INSERT ON transfers TO drill', 'INSERT on transfers', /lacks INSERT on transfers.*needed by probe transfers/],
    ['REVOKE deploy FROM drill', 'GRANT deploy TO drill', 'owner of orders', /lacks the ownership of orders, which belongs to deploy.*needed by bad-deploy/],
    ['REVOKE EXECUTE ON FUNCTION pg_switch_wal() FROM drill', 'GRANT EXECUTE ON FUNCTION pg_switch_wal() TO drill', 'EXECUTE on pg_switch_wal()', /lacks EXECUTE on pg_switch_wal\(\).*GRANT EXECUTE ON FUNCTION pg_switch_wal\(\) TO drill;.*needed by close-wal/],
  ])('with one less (%s) preflight names it', async (take, give, id, detail) => {
    await superuser.query(take);
    try {
      const found = (await failed()).find((check) => check.id === `connection source: ${id}`);
      expect(found?.detail).toMatch(detail);
    } finally {
      await superuser.query(give);
    }
    expect(await failed()).toEqual([]);
  });

  it('the drill passes with exactly those', async () => {
    const { stdout, stderr, code } = await place.run(['run', ...files], env);
    expect({ code, stderr: code === 0 ? '' : stderr + stdout }).toEqual({ code: 0, stderr: '' });
    const { rows } = await superuser.query<{ super: boolean }>(`SELECT rolsuper AS super FROM pg_roles WHERE rolname = 'drill'`);
    expect(rows).toEqual([{ super: false }]);
  }, 120_000);

  it('and leaves no table of its own on the server that was there before', async () => {
    const { rows } = await superuser.query(`SELECT relname FROM pg_class WHERE relname LIKE 'muster%'`);
    expect(rows).toEqual([]);
  });

  it('a table that a runbook makes there and does not drop is residue', async () => {
    const forgets = {
      apiVersion: 'muster/v1',
      kind: 'Runbook',
      metadata: { name: 'forgets', version: '1.0.0', title: 'Forgets a table', owner: 'shop' },
      objectives: {},
      fault: 'declared',
      requires: { source: 'postgres' },
      steps: [
        { id: 'make', phase: 'prepare', uses: 'postgres.sql', with: { server: 'source', sql: 'CREATE TABLE forgotten (id int)', effect: 'create' } },
        { id: 'fault', phase: 'inject', uses: 'drill.fault', with: { detail: 'nothing is broken' } },
      ],
    };
    writeFileSync(join(place.cwd, 'forgets.yaml'), stringify(forgets));
    const { stderr, stdout, code } = await place.run(['run', 'forgets.yaml', ...files.slice(1)], env);
    expect({ code, stderr: code === 5 ? '' : stderr + stdout }).toEqual({ code: 5, stderr: '' });
    expect(stdout + stderr).toContain('relation forgotten');
    await superuser.query('DROP TABLE forgotten');
  }, 120_000);

  it('prints commands, with the steps that run them', async () => {
    const { stdout } = await place.run(['permissions', commandRunbook, '--env', commands, '--set', 'token=secret']);
    expect(stdout).toMatch(/run sleep {2}\(prepare, inject, verify\)/);
    expect(stdout).toMatch(/run sh {2}\(exit\)/);
    expect(stdout).not.toContain('GRANT');
  });
});
