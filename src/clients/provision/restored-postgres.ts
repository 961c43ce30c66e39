import { join } from 'node:path';
import { Type } from 'typebox';
import { defineProvisioner } from '../../engine/define-step.js';
import { strict } from '../../engine/schema.js';
import type { PostgresDetails } from '../postgres/details.js';
import { ownerOfServers } from '../postgres/owner.js';
import { findBinaries } from './lib/binaries.js';
import { checkBinaries } from './lib/check-binaries.js';
import { checkServer } from './lib/check-server.js';
import { freePort } from './lib/free-port.js';
import { makePlace, removePlace } from './lib/place.js';
import { Binaries, Settings, User } from './lib/inputs.js';

export const provisioner = defineProvisioner({
  type: 'restored-postgres',
  kinds: ['postgres'],
  summary: 'An empty place on this machine, with a port of its own, that a backup is restored into.',
  input: Type.Object(
    {
      binaries: Type.Optional(Binaries),
      database: Type.Optional(Type.String({ minLength: 1, default: 'app', description: 'The database of the backup that sessions connect to' })),
      role: Type.Optional(Type.String({ minLength: 1, default: 'postgres', description: 'The PostgreSQL role that sessions connect as; it comes with the backup' })),
      settings: Type.Optional(Settings),
      user: Type.Optional(User),
    },
    strict,
  ),
  cleanups: { remove: removePlace('Stops the restored copy and removes its folder') },
  plan(input) {
    return {
      does: 'Makes an empty place for a copy, and keeps a port of 127.0.0.1 for it',
      calls: [`mkdir (PostgreSQL ${input.binaries ?? 'from npm'})`],
      undo: ['Stops the restored copy and removes its folder'],
    };
  },
  permissions: (input) => (input.binaries === undefined ? [] : [{ system: 'command', command: join(input.binaries, 'postgres') }]),
  async preflight(input, ctx) {
    if (ctx.there && ctx.filledBy !== null) return checkServer(ctx);
    const tools = await checkBinaries(input.binaries, input.user);
    return ctx.filledBy === null ? tools : [...tools, { id: 'reachable', result: 'deferred', detail: `step ${ctx.filledBy} makes this server` }];
  },
  async provision(input, ctx) {
    const owner = await ownerOfServers(input.user);
    const { binDir, version } = await findBinaries(input.binaries, owner);
    const { path } = await makePlace(ctx, owner, 'restored-postgres/remove');
    return {
      host: '127.0.0.1',
      port: await freePort(),
      database: input.database ?? 'app',
      user: input.role ?? 'postgres',
      local: { binDir, version, dataDir: join(path, 'data'), logFile: join(path, 'server.log'), ...owner, settings: input.settings ?? {} },
    } satisfies PostgresDetails;
  },
});
