import { rmSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fingerprints, type EarlierListings } from '../../../src/clients/postgres/fingerprint.js';
import { checkServer } from '../../../src/clients/provision/lib/check-server.js';
import { systemClock } from '../../../src/engine/clock.js';
import type { ConnectionContext, Ports } from '../../../src/engine/define-step.js';
import { postgresWorld, type PostgresWorld } from '../../components/postgres.js';

let here: PostgresWorld;
let wal: string;

beforeAll(async () => {
  here = await postgresWorld();
  const backups = await here.provision('backups', 'directory', 'production');
  wal = join(String(backups['path']), 'wal');
  const details = await here.provision('source', 'embedded-postgres', 'source');
  const session = await here.port.connect({ connection: 'source' }, { effect: 'modify' });
  await session.query("CREATE ROLE looker LOGIN PASSWORD 'looker-pw'; GRANT pg_read_all_data TO looker");
  await session.query("CREATE ROLE program LOGIN; GRANT pg_execute_server_program TO program");
  await session.close();
  for (const [name, more] of [['prod', {}], ['least', { user: 'looker', observer: 'postgres' }], ['able', { user: 'program', observer: 'postgres' }], ['gone', { port: 1, user: 'looker' }]] as const) {
    here.world.apply({ type: 'connection.provisioned', data: { connection: name, kind: 'postgres', role: 'production', provision: 'existing-postgres', details: { ...details, ...more } } });
  }
});
afterAll(() => here.close());

describe('the fingerprint of production', () => {
  it('tells who looked, what the server is, and what the role of the steps may do beyond reading', async () => {
    writeFileSync(join(wal, '000000010000000000000001'), 'one');
    writeFileSync(join(wal, '000000010000000000000002'), 'two');
    const earlier: EarlierListings = new Map();
    const before = await fingerprints('before', here.world, here.portFor('boundary'), earlier);
    const of = (name: string) => before.find(({ connection }) => connection === name);
    expect(before.some(({ connection }) => connection === 'source')).toBe(false);
    expect(of('prod')).toMatchObject({ as: 'postgres', timeline: 1, systemId: expect.stringMatching(/^\d{10,}$/) as string, powers: expect.arrayContaining(['superuser']) as string[] });
    expect(of('least')).toMatchObject({ as: 'postgres', powers: [] });
    expect(of('able')).toMatchObject({ powers: ['pg_execute_server_program'] });
    expect(of('gone')?.error).toContain('no connection to PostgreSQL at 127.0.0.1:1');
    expect(of('backups')?.archive).toMatchObject({ files: 2 });

    rmSync(join(wal, '000000010000000000000001'));
    writeFileSync(join(wal, '000000010000000000000002'), 'TWO');
    writeFileSync(join(wal, '000000010000000000000003'), 'new');
    const after = await fingerprints('after', here.world, here.portFor('boundary'), earlier);
    expect(after.find(({ connection }) => connection === 'backups')?.archive).toMatchObject({ files: 2, removed: ['000000010000000000000001'], changed: ['000000010000000000000002'] });
    expect(after.find(({ connection }) => connection === 'prod')).toMatchObject({ systemId: of('prod')?.systemId, timeline: 1 });
    expect(readdirSync(wal)).toHaveLength(2);
  });

  it.each([
    ['prod', /^WARNING: postgres has superuser, /],
    ['least', /^looker has no power/],
  ])('preflight says of %s beforehand what its role may do beyond reading', async (connection, said) => {
    const ports: Partial<Ports> = { postgres: here.portFor('preflight') };
    const ctx: ConnectionContext = { connection, role: 'production', ports: ports as Ports, rights: [], kubernetesRights: [], awsRights: [], makes: [], there: true, filledBy: null, clock: systemClock(), signal: new AbortController().signal, runbookDir: '/', stateDir: '/', stage: 'before' };
    process.env['PGPASSWORD'] = 'looker-pw';
    const checks = await checkServer(ctx).finally(() => delete process.env['PGPASSWORD']);
    expect(checks.find(({ id }) => id === 'least power on production')).toMatchObject({ result: 'passed', detail: expect.stringMatching(said) as string });
  });

  it('alters nothing: its sessions only read', () => {
    expect(here.accesses.filter(({ target, effect }) => target.kind === 'postgres' && target.role === 'production' && effect !== 'read')).toEqual([]);
  });
});
