import { lookup } from 'node:dns/promises';
import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { messageOf, StepError } from '../../engine/errors.js';
import { Redactor } from '../../engine/redact.js';
import type { Scope, Target } from '../../engine/scope.js';
import type { World } from '../../engine/world.js';
import { localServer, type StartedServers } from './control.js';
import type { BackupsDetails, PostgresDetails } from './details.js';
import { connectionError, isCredentialRefusal } from './errors.js';
import { applicationName } from './names.js';
import { passwordFor, renewedPassword, type Login } from './password.js';
import type { BackupRepository, LocalServer, PostgresAddress, PostgresPort, PostgresSession, SessionOptions } from './port.js';
import { repositoryOf } from './repository.js';
import { openSession, type OpenRequest } from './session.js';

/** What the adapters of all scopes of one process share. */
export interface PostgresShared {
  readonly started: StartedServers;
  /** Gets every password before it is used. */
  readonly secrets: Pick<Redactor, 'add'>;
  /** Logins whose credentials people have renewed. */
  readonly renewed: Set<string>;
}

export function postgresShared(secrets: PostgresShared['secrets'] = new Redactor()): PostgresShared {
  return { started: new Map(), secrets, renewed: new Set() };
}

const connectTimeoutMs = 10_000;

type Role = Extract<Target, { kind: 'postgres' }>['role'];

interface Place {
  readonly name: string;
  readonly role: Role;
  /** Behind it stands a system that nobody may write. */
  readonly locked: boolean;
  readonly details: PostgresDetails;
  /** What the password is looked up by; behind an endpoint that is the connection's own address. */
  readonly login: Pick<PostgresDetails, 'host' | 'port'>;
  /** Password files of the run's own servers. */
  readonly passFiles: readonly string[];
}

/** PostgreSQL as `scope` may use it. */
export function postgresPort(scope: Scope, world: World, shared: PostgresShared): PostgresPort {
  const local = (name: string): LocalServer => {
    const { place, target } = ours(world, name);
    return localServer(place.local, place.port, shared.started, scope.runId, scope.signal, () => scope.access(target, 'modify'));
  };
  return {
    connect: async (address, options) => connect(scope, placeOf(world, address), options, shared),
    local,
    managed(name) {
      const managed = detailsOf(world, name).details.managed;
      if (managed === undefined) throw new StepError('not-managed', `the server ${name} is not one that an operator runs`, { hint: 'The environment must provision it as cnpg or restored-cnpg.' });
      return managed;
    },
    repository: (name): BackupRepository =>
      repositoryOf(backupsDetails(world, name), {
        scope,
        connect: (connection, options) => connect(scope, placeOf(world, { connection }), options, shared),
        postgres: (connection) => ours(world, connection).place,
        announce: async (connection, effect) => {
          const { place, target } = ours(world, connection);
          await scope.access({ kind: 'path', path: place.local.dataDir }, effect);
          await scope.access(target, effect);
        },
      }),
  };
}

async function connect(scope: Scope, place: Place, options: SessionOptions, { secrets, renewed }: PostgresShared): Promise<PostgresSession> {
  const { details } = place;
  const database = options.database ?? details.database;
  const address = await resolveHost(details.host, details.port);
  const target: Target = { kind: 'postgres', connection: place.name, role: place.role, host: details.host, port: details.port, ...(isIP(address) === 0 ? {} : { address }) };
  const user = options.as ?? details.user;
  const mutating = options.effect !== 'read';
  // The connection itself alters nothing: the fault's time is that of the first statement.
  await scope.access(target, 'read');
  const login = { ...place.login, user, database };
  const request: OpenRequest = {
    host: details.host,
    port: details.port,
    user,
    address,
    password: async () => {
      const password = await (renewed.has(loginKey(login)) ? renewedPassword(login) : passwordFor(login, place.passFiles));
      secrets.add(password);
      return password;
    },
    database,
    applicationName: applicationName(scope.runId, scope.who, options.label),
    ssl: await tlsOf(details),
    readOnly: !mutating,
    locked: place.locked,
    connectTimeoutMs: options.connectTimeoutMs ?? connectTimeoutMs,
    statementTimeoutMs: options.statementTimeoutMs,
    quiet: details.local !== undefined,
    before: async () => {
      if (mutating) await scope.access(target, options.effect);
    },
  };
  for (;;) {
    try {
      return await openSession(request, scope.signal);
    } catch (error) {
      // The passwords of the run's own servers do not expire.
      if (details.local !== undefined || scope.renew === undefined || !isCredentialRefusal(error)) throw error;
      if (!(await scope.renew(error.message))) throw error;
      renewed.add(loginKey(login));
    }
  }
}

function loginKey({ host, port, user, database }: Login): string {
  return JSON.stringify([host, port, user, database]);
}

/** The guard judges the address that the connection really goes to, so it is resolved once, before. */
async function resolveHost(host: string, port: number): Promise<string> {
  if (host.startsWith('/') || isIP(host) !== 0) return host;
  try {
    return (await lookup(host)).address;
  } catch (error) {
    throw connectionError(`${host}:${port}`, error);
  }
}

async function tlsOf(details: PostgresDetails): Promise<OpenRequest['ssl']> {
  const name = isIP(details.host) === 0 ? { servername: details.host } : {};
  if (details.tls === undefined || details.tls === 'disable') return false;
  if (details.tls === 'require') return { ...name, rejectUnauthorized: false };
  if (details.caFile === undefined) return { ...name, rejectUnauthorized: true };
  try {
    return { ...name, rejectUnauthorized: true, ca: await readFile(details.caFile, 'utf8') };
  } catch (error) {
    throw new StepError('no-ca-file', `the certificate authority's file could not be read: ${messageOf(error)}`, { cause: error });
  }
}

function placeOf(world: World, address: PostgresAddress): Place {
  if ('connection' in address) {
    const { role, details } = postgresConnection(world, address.connection);
    return { name: address.connection, role, locked: role === 'production', details, login: details, passFiles: passFiles(world, details) };
  }
  const endpoint = world.endpoints.get(address.endpoint);
  if (endpoint === undefined) throw new StepError('no-such-endpoint', `no endpoint ${address.endpoint} is open`);
  const behind = endpoint.to ?? [...world.connections].find(([, connection]) => connection.kind === 'postgres')?.[0];
  if (behind === undefined) throw new StepError('no-such-connection', `nothing says which database and user to use at the endpoint ${address.endpoint}`);
  const { role, details } = postgresConnection(world, behind);
  return { name: address.endpoint, role: 'endpoint', locked: role === 'production', details: { ...details, host: endpoint.host, port: endpoint.port }, login: details, passFiles: passFiles(world, details) };
}

/** A server here, ours or a copy of ours. One of somebody else has passwords of its own, and a managed one those of its Secret. */
function passFiles(world: World, details: PostgresDetails): string[] {
  if (details.managed !== undefined && details.passFile !== undefined) return [details.passFile];
  if (details.local === undefined) return [];
  return [details.passFile, ...ownPassFiles(world)].filter((file) => file !== undefined);
}

/** pgpass files of the servers that this run has made. */
export function ownPassFiles(world: World): string[] {
  return [...world.connections.values()].map(({ details }) => details['passFile']).filter((file) => typeof file === 'string');
}

function postgresConnection(world: World, name: string): { role: 'production' | 'source' | 'target'; details: PostgresDetails } {
  const { role, details } = detailsOf(world, name);
  if (typeof details.host !== 'string') throw new StepError('no-such-connection', `the server ${name} is not there yet: a step makes it`);
  return { role, details };
}

function detailsOf(world: World, name: string): { role: 'production' | 'source' | 'target'; details: PostgresDetails } {
  const connection = world.connections.get(name);
  if (connection?.kind !== 'postgres') throw new StepError('no-such-connection', `no connection ${name} of kind postgres is provisioned`);
  return { role: connection.role, details: connection.details as unknown as PostgresDetails };
}

function ours(world: World, name: string): { place: PostgresDetails & { readonly local: NonNullable<PostgresDetails['local']> }; target: Target } {
  const { role, details } = postgresConnection(world, name);
  const { local } = details;
  if (local === undefined) throw new StepError('not-local', `the server ${name} is not ours to start and stop`, { hint: 'The environment must provision it here (embedded-postgres, restored-postgres).' });
  return { place: { ...details, local }, target: { kind: 'postgres', connection: name, role, host: details.host, port: details.port } };
}

function backupsDetails(world: World, name: string): { readonly name: string; readonly details: BackupsDetails } {
  const connection = world.connections.get(name);
  if (connection?.kind !== 'postgres-backups') throw new StepError('no-such-connection', `no connection ${name} of kind postgres-backups is provisioned`);
  return { name, details: connection.details as unknown as BackupsDetails };
}
