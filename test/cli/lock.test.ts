import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { environment, Place, runbook } from './lib.js';
import { postgresWorld, type PostgresWorld } from '../components/postgres.js';
import { takeAdvisoryLock } from '../../src/clients/lock/advisory-lock.js';
import type { PostgresDetails } from '../../src/clients/postgres/details.js';

let place: Place;
beforeEach(() => {
  place = new Place();
});
afterEach(() => place.remove());

/** An environment file with one more connection. */
function withConnection(name: string, connection: string): string {
  const file = join(place.cwd, `${name}.yaml`);
  writeFileSync(file, readFileSync(environment, 'utf8').replace('connections: {}', `connections:\n  ${name}: ${connection}`));
  return file;
}

function repository(name: string): string {
  for (const part of ['base', 'wal', 'incoming']) mkdirSync(join(place.cwd, name, part), { recursive: true });
  return withConnection(name, `{ kind: postgres-backups, role: source, provision: directory, with: { path: ${join(place.cwd, name)} } }`);
}

describe('two drills of one repository', () => {
  it('do not run side by side: the second is refused and told who is there; one of another repository runs', async () => {
    const [ours, others] = [repository('ours'), repository('others')];
    const first = place.start(['run', runbook, '--env', ours, '--json', '--set', 'prepare=30']);
    const begun = await first.event((event) => event.type === 'run.started');
    const run = begun.type === 'run.started' ? begun.data.run : '';
    const second = await place.run(['run', runbook, '--env', ours]);
    expect(second.code, second.stderr).toBe(3);
    expect(second.stderr).toContain(`another drill uses directory:${join(place.cwd, 'ours')}: run ${run} (process ${first.child.pid}`);
    expect(second.stderr).toContain(`muster attach ${run}`);
    expect(place.runs()).toEqual([run]);
    expect((await place.run(['run', runbook, '--env', others])).code).toBe(0);

    first.child.kill('SIGKILL');
    await first.ended;
    const third = await place.run(['run', runbook, '--env', ours]);
    expect(third.stderr).toContain(`Run ${run} held a lock of this drill and died`);
    expect(third.code).toBe(0);
    expect((await place.run(['cleanup', run])).code).toBe(0);
    expect(readdirSync(join(place.state, 'locks'))).toEqual([]);
  });
});

describe('a server that is there already', () => {
  let world: PostgresWorld;
  beforeEach(async () => {
    world = await postgresWorld();
  });
  afterEach(() => world.close());

  it('lets in one drill at a time, from whatever machine and by whatever name', async () => {
    const { host, port, database, user, passFile } = (await world.provision('server', 'embedded-postgres', 'source')) as unknown as PostgresDetails & { readonly passFile?: string };
    const file = withConnection('server', `{ kind: postgres, role: source, provision: existing-postgres, with: { host: ${host}, port: ${port}, database: ${database}, user: ${user} } }`);
    const env = passFile === undefined ? {} : { PGPASSFILE: passFile };
    const elsewhere = await world.port.connect({ connection: 'server' }, { effect: 'read', label: 'lock' });
    expect(await takeAdvisoryLock(elsewhere)).toBeNull();
    const refused = await place.run(['run', runbook, '--env', file], env);
    expect(refused.stderr).toContain('another drill uses connection server');
    expect(refused.code).toBe(3);
    expect(place.runs()).toEqual([]);
    await elsewhere.close();
    const after = await place.run(['run', runbook, '--env', file], env);
    expect(after.code, after.stderr).toBe(0);
  });
});
