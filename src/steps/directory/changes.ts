import { Type } from 'typebox';
import type { BackupsDetails, PostgresDetails } from '../../clients/postgres/details.js';
import { defineWatcher, scopeOf } from '../../engine/define-watcher.js';
import { strict } from '../../engine/schema.js';
import { every } from '../postgres/lib/loop.js';
import { Archiver } from './lib/archiver.js';
import { Configuration } from './lib/configuration.js';
import { Repository } from './lib/repository.js';

const turnMs = 250;
/** Files in the archive whose archiving the server has not confirmed yet are asked for again, at least this long. */
const leastPatienceMs = 2_000;

export const watcher = defineWatcher({
  type: 'directory.changes',
  summary: 'Sees files change that no step and no server of the drill changed: backups, archived WAL, and the configuration files of servers that the run makes or restores.',
  input: Type.Object({}, strict),
  permissions: () => [{ system: 'postgres', connection: '*', grant: 'SELECT ON pg_stat_archiver' }],
  examples: [{ title: 'All repositories and data directories of the environment', with: {} }],
  plan: () => ({
    does: 'Watches backups, the WAL archive and configuration files; WAL that a server of the environment archived is its own doing',
    calls: ['list the files before and after', 'inotify', 'SELECT ... FROM pg_stat_archiver', 'read the header of archived WAL'],
  }),
  async begin(_input, ctx) {
    const connections = [...ctx.world.connections];
    const archivers = connections.filter(([, { kind, role }]) => kind === 'postgres' && role !== 'target').map(([name]) => new Archiver(name, ctx));
    const repositories = connections.filter(([, { kind }]) => kind === 'postgres-backups').map(([name, { details }]) => new Repository(name, details as unknown as BackupsDetails, archivers, ctx));
    const configurations = connections.flatMap(([name, connection]) => {
      const { local } = connection.details as unknown as PostgresDetails;
      return connection.kind === 'postgres' && local !== undefined ? [{ name, scope: scopeOf(connection), files: new Configuration(local) }] : [];
    });
    let lookedAt = ctx.clock.now().at;
    const look = async (): Promise<void> => {
      const since = lookedAt;
      lookedAt = ctx.clock.now().at;
      for (const { name, scope, files } of configurations) for (const seen of await files.look()) ctx.observed({ system: `postgres:${name}`, scope, since, ...seen });
    };
    // The counts first: a file that is archived in between is then counted, and listed already.
    for (const archiver of archivers) await archiver.ask();
    for (const repository of repositories) await repository.begin();
    await look();
    const began = lookedAt;
    const loop = every(ctx.clock, turnMs, ctx.signal, async () => {
      await look();
      for (const archiver of archivers) await archiver.ask();
      for (const repository of repositories) await repository.turn();
    });
    const stop = async (): Promise<void> => {
      for (const repository of repositories) repository.stop();
      await loop.stop();
      for (const archiver of archivers) await archiver.close();
    };
    return {
      stop,
      async end(settleMs) {
        await ctx.clock.sleep(settleMs, ctx.signal);
        await loop.stop();
        await look();
        let compared = configurations.reduce((sum, { files }) => sum + files.files, 0);
        for (const repository of repositories) compared += await repository.end(Math.max(settleMs, leastPatienceMs), began);
        await stop();
        return compared;
      },
    };
  },
});
