import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { differences, readFacts, type ServerFacts } from '../../../src/steps/postgres/lib/watch-facts.js';
import { postgresWorld, type PostgresWorld } from '../../components/postgres.js';

let here: PostgresWorld;
beforeAll(async () => {
  here = await postgresWorld();
  await here.provision('server', 'embedded-postgres', 'source');
});
afterAll(() => here.close());

async function facts(does = 'SELECT 1'): Promise<ServerFacts> {
  const session = await here.port.connect({ connection: 'server' }, { effect: 'modify' });
  try {
    await session.query(does);
    return await readFacts(session);
  } finally {
    await session.close();
  }
}

const changes = (before: ServerFacts, after: ServerFacts) => differences(before, after).map(({ object, change }) => `${object}: ${change}`);

test('a restart, a server made a standby, and a promotion that nobody announced are told apart', async () => {
  const local = here.port.local('server');
  const before = await facts();
  expect(changes(before, await facts())).toEqual([]);

  await local.stop('fast');
  await writeFile(join(local.dataDir, 'standby.signal'), '');
  await local.start({ wait: 'accepting', timeoutMs: 60_000 });
  const standby = await facts();
  expect(changes(before, standby)).toEqual(['server: restarted', 'server: went into recovery']);

  const primary = await facts('SELECT pg_promote(true, 60)');
  expect(differences(standby, primary)).toEqual([expect.objectContaining({ object: 'server', change: 'promoted', before: null, after: 2 })]);
});
