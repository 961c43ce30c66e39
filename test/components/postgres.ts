import { mkdtemp, rm, chmod } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CleanupCall, Effect, ProvisionContext, ProvisionerDefinition } from '../../src/engine/define-step.js';
import type { Scope, Target } from '../../src/engine/scope.js';
import { LiveWorld } from '../../src/engine/world.js';
import { postgresPort, postgresShared } from '../../src/clients/postgres/adapter.js';
import type { PostgresPort } from '../../src/clients/postgres/port.js';
import { provisioner as directory } from '../../src/clients/provision/directory.js';
import { provisioner as embedded } from '../../src/clients/provision/embedded-postgres.js';
import { provisioner as existing } from '../../src/clients/provision/existing-postgres.js';
import { provisioner as pgbackrest } from '../../src/clients/provision/pgbackrest.js';
import { provisioner as restored } from '../../src/clients/provision/restored-postgres.js';
import { systemClock } from '../../src/engine/clock.js';
import type { Component } from './index.js';
import { debianPackages } from './debian.js';
import { portsOnly } from './ports.js';

const provisioners: ReadonlyMap<string, ProvisionerDefinition> = new Map([directory, embedded, existing, pgbackrest, restored].map((definition) => [definition.type, definition as ProvisionerDefinition]));

export const debianBinaries = '/usr/lib/postgresql/15/bin';
/** Debian's PostgreSQL 15 with pgBackRest. */
export const pgbackrestComponent: Component = { name: 'PostgreSQL 15 with pgBackRest', obtain: async () => (await debianPackages(['postgresql-15', 'pgbackrest'], `${debianBinaries}/postgres`)) ?? debianPackages(['pgbackrest'], '/usr/bin/pgbackrest') };

type Role = 'production' | 'source' | 'target';

interface Registered {
  readonly call: CleanupCall;
  identity: Record<string, unknown> | undefined;
  done: boolean;
}

/** A little world of real servers: what a run provisions, without a run. */
export interface PostgresWorld {
  readonly world: LiveWorld;
  readonly port: PostgresPort;
  readonly folder: string;
  /** Every call that went past the guard's place, in order. */
  readonly accesses: readonly { readonly target: Target; readonly effect: Effect }[];
  readonly cleanups: readonly Registered[];
  portFor(who: string, signal?: AbortSignal, access?: Scope['access']): PostgresPort;
  provision(name: string, type: string, role: Role, input?: Record<string, unknown>): Promise<Record<string, unknown>>;
  readonly logged: readonly string[];
  /** What provisioners declared to be secret. */
  readonly secrets: readonly string[];
  /** Runs the cleanups last-in first-out, as another process would: from their data and identity alone. */
  cleanUp(): Promise<void>;
  /** Cleans up and removes the folder. */
  close(): Promise<void>;
}

let worlds = 0;

/** `parentMode`: of the folder that holds everything; 0700 is what a server's own user cannot enter. */
export async function postgresWorld(options: { readonly parentMode?: number } = {}): Promise<PostgresWorld> {
  const folder = await mkdtemp(join(tmpdir(), 'muster-test-'));
  await chmod(folder, options.parentMode ?? 0o755);
  const runId = `test-${process.pid}-${(worlds += 1)}-${Math.random().toString(16).slice(2, 8)}`;
  const world = new LiveWorld();
  const shared = postgresShared();
  const accesses: { target: Target; effect: Effect }[] = [];
  const cleanups: Registered[] = [];
  const logged: string[] = [];
  const secrets: string[] = [];
  const ended = new AbortController();
  const portFor: PostgresWorld['portFor'] = (who, signal = ended.signal, access) =>
    postgresPort(
      {
        who,
        phase: 'prepare',
        runId,
        signal,
        access: access ?? ((target, effect) => {
          accesses.push({ target, effect });
          return Promise.resolve();
        }),
      },
      world,
      shared,
    );
  const port = portFor('test');
  const base = { runId, signal: ended.signal, ports: portsOnly({ postgres: port }), clock: systemClock(), log: (line: string) => void logged.push(line) };
  const cleanUp = async (): Promise<void> => {
    for (const { call, identity, done } of cleanups.toReversed()) {
      const [type = '', name = ''] = call.uses.split('/');
      if (!done) await provisioners.get(type)?.cleanups?.[name]?.run({ ...call.with }, identity, base);
    }
  };
  return {
    logged,
    secrets,
    cleanUp,
    world,
    port,
    folder,
    accesses,
    cleanups,
    portFor,
    async provision(name, type, role, input = {}) {
      const definition = provisioners.get(type);
      if (definition === undefined) throw new Error(`no provisioner ${type}`);
      const context: ProvisionContext = {
        ...base,
        connection: name,
        role,
        workDir: join(folder, 'work', name),
        runbookDir: folder,
        secret: (value) => void secrets.push(value),
        defer: (call) => {
          const registered: Registered = { call, identity: undefined, done: false };
          cleanups.push(registered);
          return Promise.resolve({
            confirm: (identity: Record<string, unknown>) => {
              registered.identity = identity;
              return Promise.resolve();
            },
            done: () => {
              registered.done = true;
              return Promise.resolve();
            },
          });
        },
      };
      const details = await definition.provision(input, context);
      world.apply({ type: 'connection.provisioned', data: { connection: name, kind: definition.kinds[0] ?? '', role, provision: type, details } });
      return details;
    },
    async close() {
      await cleanUp();
      ended.abort();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
