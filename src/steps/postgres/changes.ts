import { stat } from 'node:fs/promises';
import { Type } from 'typebox';
import type { PostgresDetails } from '../../clients/postgres/details.js';
import { defineWatcher, scopeOf, type WatchContext } from '../../engine/define-watcher.js';
import { strict } from '../../engine/schema.js';
import type { WorldConnection } from '../../engine/world.js';
import { every } from './lib/loop.js';
import { CountedServer } from './lib/watch-existing.js';
import { LoggedServer, type ServerWatch } from './lib/watch-server.js';

const turnMs = 200;

export const watcher = defineWatcher({
  type: 'postgres.changes',
  summary:
    'Sees what others than this run do to PostgreSQL servers: statements that alter data, tables, settings or roles, reloads, restarts, promotions. A server that the run makes or restores logs every statement; any other is compared by its counters, its catalog and its settings.',
  input: Type.Object({}, strict),
  permissions: () => [{ system: 'postgres', connection: '*', grant: 'pg_read_all_stats' }],
  examples: [{ title: 'All servers of the environment', with: {} }],
  plan: () => ({
    does: 'Watches every PostgreSQL server for statements, settings, restarts and promotions that are not of this run',
    calls: ['follow the log of servers that the run makes', 'SELECT ... FROM pg_settings, pg_class, pg_stat_user_tables, pg_stat_activity'],
  }),
  async begin(_input, ctx) {
    const servers = await Promise.all([...ctx.world.connections].filter(([, { kind }]) => kind === 'postgres').map(([name, connection]) => serverOf(name, connection, ctx)));
    for (const server of servers) await server.begin();
    const loop = every(ctx.clock, turnMs, ctx.signal, async () => {
      for (const server of servers) await server.turn();
    });
    return {
      async end(settleMs) {
        await ctx.clock.sleep(settleMs, ctx.signal);
        await loop.stop();
        let compared = 0;
        for (const server of servers) compared += await server.end();
        return compared;
      },
      stepEnded() {
        for (const server of servers) server.stepEnded();
      },
      stop: () => loop.stop(),
    };
  },
});

/** The log of a server that runs is followed from now on; that of a copy from its beginning. */
async function serverOf(name: string, connection: WorldConnection, ctx: WatchContext): Promise<ServerWatch> {
  const watched = { connection: name, scope: scopeOf(connection) };
  const { local } = connection.details as unknown as PostgresDetails;
  if (local === undefined) return new CountedServer(watched, ctx);
  const size = await stat(local.logFile).then(({ size: bytes }) => bytes, () => 0);
  return new LoggedServer(watched, local, size, ctx);
}
