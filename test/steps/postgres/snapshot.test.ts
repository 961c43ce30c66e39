import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { PostgresSession } from '../../../src/clients/postgres/port.js';
import type { PostgresDetails } from '../../../src/clients/postgres/details.js';
import { probe as load } from '../../../src/steps/postgres/load.js';
import { step as manifest } from '../../../src/steps/postgres/manifest.js';
import { step as seed } from '../../../src/steps/postgres/seed.js';
import { step as snapshot } from '../../../src/steps/postgres/snapshot.js';
import { step as verify } from '../../../src/steps/postgres/verify.js';
import { postgresRig, type Rig } from './rig.js';

let rig: Rig;
let session: PostgresSession;
const tables = ['orders', 'accounts', 'transfers'];

beforeAll(async () => {
  rig = await postgresRig();
  await rig.here.provision('source', 'embedded-postgres', 'source');
  // The same server as one that nobody may write.
  const details = rig.here.world.connections.get('source')?.details as unknown as PostgresDetails;
  rig.here.world.apply({ type: 'connection.provisioned', data: { connection: 'living', kind: 'postgres', role: 'production', provision: 'existing-postgres', details: { ...details } } });
  rig.endpoint('app', 'source');
  session = await rig.session('source');
  await rig.step(seed, { server: 'source', rows: 2_000, accounts: 20 });
});
afterAll(() => rig.close());

describe('postgres.snapshot', () => {
  it('sees one moment of a production server under load', async () => {
    const running = await Promise.all([0, 1].map(() => rig.probe(load, { endpoint: 'app', every: '0' })));
    const transfers = async () => (await session.query('SELECT FROM transfers')).rowCount;
    await vi.waitUntil(async () => (await transfers()) > 20, { timeout: 20_000 });
    for (let round = 0; round < 5; round += 1) {
      const taken = await rig.step(snapshot, { server: 'living', tables });
      expect(taken.time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
      // Each transfer comes with its order in the same transaction.
      expect(taken.tables['orders']?.rows).toBe(2_000 + (taken.tables['transfers']?.rows ?? 0));
    }
    for (const probe of running) await probe.stop();
  });

  it('gives way to a client that holds a table for long, and says so', async () => {
    await session.query('BEGIN');
    await session.query('UPDATE accounts SET balance = balance WHERE id = 1');
    await expect(rig.step(snapshot, { server: 'source', tables, lockTimeout: '500ms' })).rejects.toMatchObject({ code: 'lock-timeout', retryable: true });
    // The client goes on undisturbed.
    await session.query("INSERT INTO transfers (debit, credit, amount) VALUES (1, 2, 1)");
    await session.query('COMMIT');
    await expect(rig.step(snapshot, { server: 'source', tables })).resolves.toMatchObject({ timeline: 1 });
  });

  it('fails when a table does not exist', async () => {
    await expect(rig.step(snapshot, { server: 'source', tables: ['nothing'] })).rejects.toThrow(/42P01/);
  });
});

describe('postgres.manifest', () => {
  it('is written once, and later says what has changed', async () => {
    const file = join(rig.here.folder, 'manifest.json');
    await rig.step(manifest, { server: 'living', tables, file });
    await expect(rig.step(manifest, { server: 'living', tables, file })).rejects.toMatchObject({ code: 'file-exists' });
    expect(JSON.parse(await readFile(file, 'utf8'))).toMatchObject({ schema: 'muster/manifest/v1', timeline: 1 });
    const check = () => rig.step(verify, { server: 'source', reference: 'manifest', manifest: file, consistency: 'none' });
    expect(await check()).toMatchObject({ tables: 3, findings: 0 });
    await session.query('DELETE FROM transfers WHERE id = (SELECT max(id) FROM transfers)');
    expect(await check()).toMatchObject({ tables: 3, findings: 1 });
    await session.query('DROP TABLE transfers');
    await check();
    expect(rig.evidence('reconciliation').tables.find(({ table }) => table === 'transfers')).toMatchObject({ actual: null, error: expect.stringMatching(/42P01/) as string });
  });
});
